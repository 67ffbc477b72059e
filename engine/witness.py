"""The witness (见证): a second party that looks at the log from outside, with a key of its own.

It takes the newest checkpoint, demands the proof that the log it saw last is the beginning of this
one, cosigns (C2SP tlog-cosignature) and keeps both signatures in its own file. A log that shrank, or
that shows two pasts, is refused; a head that was cosigned once can never be taken back unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine import merkle
from engine.errors import Refused
from engine.signatures import read_checkpoint, read_verifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from engine.checkpoints import CheckpointFile
    from engine.signatures import Signer, TreeHead


class Source(Protocol):
    """Where a log is read: over HTTP, or in its database."""

    def checkpoint(self) -> tuple[str, str]:
        """The newest note, and the public key that is said to sign it."""

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """The proof that the log of one size begins with that of another."""


def attest(source: Source, signer: Signer, file: CheckpointFile, now: datetime) -> TreeHead | None:
    """Cosign the newest checkpoint and keep it; None where it is the one kept already.

    Raises Refused where it is not signed by the key of the first time, is not a continuation of what
    was seen last, or another witness writes to the file just now.
    """
    note, key = source.checkpoint()
    with file.held() as mine:
        if not mine:
            raise Refused("另一个见证正在进行。Another witness is writing to this file; wait.")
        known = file.verifiers() or [read_verifier(key)]
        if not any(verifier.signed(note) for verifier in known):
            raise Refused(
                "检查点不是由首次见到的公钥签名:拒绝副署。The checkpoint is not signed by the key this "
                "witness saw first; nothing was signed. Ask the office why its key changed."
            )
        head, last = read_checkpoint(note), file.last()
        if last is not None and not _grew(source, read_checkpoint(last), head):
            return None
        for verifier in known:
            file.introduce(verifier)
        file.add([signer.cosign(note, now)])
    return head


def _grew(source: Source, last: TreeHead, head: TreeHead) -> bool:
    """Whether a head is a later one than the last. Raises Refused where it continues another past."""
    if head.size < last.size:
        raise Refused(
            f"总账由 {last.size} 条变成 {head.size} 条:恢复了旧备份,或记录被删。拒绝副署。"
            f"The log had {last.size} events and shows {head.size}: an older copy was put back, or "
            "history was cut. Nothing was signed; keep this witness's file."
        )
    proof = source.consistency(last.size, head.size)
    if not merkle.consistent(last.size, head.size, last.root, head.root, proof):
        raise Refused(
            f"总账前 {last.size} 条已不是见证过的那些:历史被改写。拒绝副署。"
            f"The log's first {last.size} events are not the ones this witness saw: history was "
            "rewritten. Nothing was signed; keep this witness's file."
        )
    return head.size > last.size
