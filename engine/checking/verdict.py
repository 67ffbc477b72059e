"""What `banjie check` prints: one block a workflow, for somebody of the law section to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.checking.proof import Proof
    from engine.errors import Finding


def report(proofs: Sequence[Proof], unsound: Sequence[Finding] = ()) -> str:
    """The result of a check as text: what is unsound, or every proof, and a closing line."""
    if unsound:
        lines = [
            f"流程文件有 {len(unsound)} 处错误，未作证明 / {len(unsound)} faults, nothing proven"
        ]
        return "\n".join([*lines, *(f"  {finding}" for finding in unsound)])
    blocks = [_block(proof) for proof in proofs]
    failed = sum(not proof.holds for proof in proofs)
    if failed:
        closing = f"{len(proofs)} 个流程中有 {failed} 个可能沉默 / {failed} of {len(proofs)} may go silent"
    else:
        closing = f"{len(proofs)} 个流程全部证明不沉默 / all {len(proofs)} workflows proven"
    return "\n\n".join([*blocks, closing])


def _block(proof: Proof) -> str:
    workflow = proof.workflow
    moves = len(workflow.moves())
    clocks = len(workflow.deadlines) + sum(
        state.idle is not None for state in workflow.states.values()
    )
    lines = [
        f"{workflow.title} {workflow.workflow} v{workflow.version}",
        (
            f"  {len(workflow.states)} 个环节、{moves} 个流转、{clocks} 个时限，"
            f"查遍 {proof.configurations} 种情形 / {len(workflow.states)} states, {moves} transitions, "
            f"{clocks} clocks, {proof.configurations} configurations explored"
        ),
    ]
    if proof.holds:
        lines.append(
            "  ✓ 不沉默：每种情形都有人听见 / proven: somebody hears in every configuration"
        )
    else:
        lines.append(f"  ✗ {len(proof.findings)} 处可能沉默 / may go silent:")
        lines += [f"    {finding}" for finding in proof.findings]
    if proof.longest_silence is not None:
        state, wait = proof.longest_silence
        lines.append(
            f"  最长静默：{wait.chinese}（最多 {wait.days} 个自然日），在“{workflow.states[state].title}”"
            f" / longest silence: {wait.english} (at most {wait.days} calendar days), in {state}"
        )
    return "\n".join(lines)
