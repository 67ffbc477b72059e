"""`banjie`: the command line. Exit codes: 0 done, 1 done with faults or refused, 2 wrongly called."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapters import registry
from adapters.terminal import DONE, FAULTY, ExistingFile, Sentences, complain, office_of, say
from engine.errors import DefinitionError
from engine.hardening import harden
from engine.settings import Settings
from engine.telling import take_over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.importing import Import, Progress
    from engine.people import Actor, Office

app = typer.Typer(
    cls=Sentences,
    help="办结:让每一件投诉都有下文。Banjie: no grievance goes silent.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
export_app = typer.Typer(help="导出 · exports", no_args_is_help=True)
app.add_typer(export_app, name="export")
for name, child in registry.APPS.items():
    app.add_typer(child, name=name)


@app.callback()
def begin() -> None:
    """What every command does first: it will hold keys, and may die of an error that quotes a value."""
    harden()
    take_over("cli")


# --- the office at work -------------------------------------------------------------------------


@app.command()
def run() -> None:
    """运行整个系统,Ctrl-C 停止 · Run everything until Ctrl-C."""
    from adapters.supervisor import serve

    serve(Settings())


@app.command()
def migrate() -> None:
    """建表并登记流程版本 · Bring tables and workflows up to date."""
    from adapters.opening import furnish, let_in, owner_url
    from workflows import catalog

    settings = Settings()
    declared = catalog(settings.workflows)
    with owner_url(settings) as url:
        furnish(url, declared)
        let_in(url, settings)
    say(f"已更新:{len(declared.current)} 个流程 · up to date, {len(declared.current)} workflows")


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(exists=True, file_okay=False)] = None,
) -> None:
    """检查流程文件:健全与不沉默证明 · Check workflow files: soundness and the silence proof.

    用示例单位的名册;设了 BANJIE_DATABASE_URL 则用该库的真实名册。
    The sample office's roster, or the real one where BANJIE_DATABASE_URL is set.
    """
    from adapters import checking, sample

    settings = Settings()
    url = settings.database_url
    roster = checking.real_roster(url.get_secret_value()) if url else None
    text, holds = checking.check(folder or settings.workflows, roster or sample.roster())
    say(text)
    raise typer.Exit(DONE if holds else FAULTY)


@app.command()
def docs(folder: Annotated[Path, typer.Argument(file_okay=False)]) -> None:
    """由流程文件生成说明 · Write a page for each workflow, made from its file."""
    from adapters import describing
    from workflows import HERE, catalog

    files = Settings().workflows or HERE
    pages = describing.write(catalog(files), files, folder)
    say(f"写成 {pages} 页 · {pages} pages written")


@app.command()
def sweep() -> None:
    """立本月事项、敲响到期的督办、清点集中问题 · Begin what opens this month and climb every rung that is
    due; once a day, count what comes in too often.
    """
    from engine import clusters, reveals, stalls
    from engine.openings import Openings

    with office_of() as office:
        opened = Openings(office.database, office.casework).sweep()
        reveals.lapse(office.database, office.casework)
        climbed = stalls.sweep(office.database, office.casework)
        opened += clusters.tally_daily(office.database, office.casework)
    say(f"立项 {opened} 件,督办 {climbed} 级 · {opened} items opened, {climbed} rungs climbed")


@app.command()
def deliver() -> None:
    """发出待发的通知 · Send every message that is due."""
    from adapters import channels
    from engine import outbox

    settings = Settings()
    with office_of(settings) as office:
        texts = office.casework.catalog.texts
        done = outbox.deliver(office.database, channels(settings), texts)
    say(
        f"发出 {done.sent},待重试 {done.retried},失败 {done.dead}"
        f" · {done.sent} sent, {done.retried} to be tried again, {done.dead} dead"
    )
    raise typer.Exit(FAULTY if done.dead else DONE)


@app.command(name="log")
def log_() -> None:
    """把新记录列入总账并签检查点 · Append new events to the log and sign a checkpoint."""
    from engine import log
    from engine.checkpoints import publish
    from engine.keys import Keyring
    from engine.signatures import SIGNING, Signer

    settings = Settings()
    keyring = Keyring(settings.keys_path)
    keyring.check()
    signer = Signer(keyring.key(SIGNING, make=True))
    with office_of(settings) as office:
        appended = log.sequence(office.database)
        signed, faults = publish(office.database, signer, settings.checkpoints_path, every=0)
    for fault in faults:
        complain(fault)
    at = f"{signed.size}" if signed else "-"
    say(f"列入 {appended} 条,检查点 {at} · {appended} events appended, checkpoint {at}")
    raise typer.Exit(FAULTY if faults else DONE)


@app.command()
def verify(
    witness: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="见证人的文件 · the file of a witness"),
    ] = None,
) -> None:
    """核对全部记录 · Verify the record: every chain, item and commitment, the log, its checkpoints."""
    from functools import partial

    from engine import verification
    from engine.administration.record import verify_office
    from workflows import catalog

    settings = Settings()
    known = verification.evidence(settings.checkpoints_path, witness, practice=settings.sample)
    with office_of(settings) as office:
        found = verification.verify(
            office.database, partial(catalog, settings.workflows), known, os.cpu_count() or 1
        )
        with office.database.transaction() as session:
            entries, strays = verify_office(session)
    faults = [*found.faults, *strays]
    for fault in faults:
        complain(fault)
    say(f"机构变更 {entries} 条 · {entries} changes of the office checked")
    say(
        f"总账 {found.leaves} 条,待列 {found.waiting} 条,检查点 {found.checkpoints} 个"
        f" · {found.leaves} in the log, {found.waiting} waiting, {found.checkpoints} checkpoints"
    )
    say(
        f"核对 {found.events} 条记录,{len(faults)} 处不符"
        f" · {found.events} events checked, {len(faults)} faults"
    )
    raise typer.Exit(FAULTY if faults else DONE)


@app.command()
def redraw(
    number: Annotated[str, typer.Argument(help="月度回访的编号 · number of the campaign")],
) -> None:
    """重算回访抽样 · Count a campaign's draw of revisits over, from what stands on its item."""
    from engine.draws import faults
    from engine.errors import NotAvailable
    from engine.people import SYS

    with office_of() as office, office.database.transaction() as session:
        dossier = office.casework.look(session, number, SYS)
        if "seed" not in dossier.data:
            raise NotAvailable(
                "本事项尚未抽样。Nothing was drawn here yet.", state=dossier.state, available=[]
            )
        found = faults(dossier.data)
        sample = [row["case"] for row in dossier.data.get("sample_list", [])]
    for case in sample:
        say(case)
    for fault in found:
        complain(fault)
    say(f"样本 {len(sample)} 件,{len(found)} 处不符 · {len(sample)} cases, {len(found)} faults")
    raise typer.Exit(FAULTY if found else DONE)


@app.command()
def witness(
    address: Annotated[
        str, typer.Argument(help="总账在何处 · where the log is: http(s)://… or postgresql://…")
    ],
    key: Annotated[
        Path | None, typer.Option(help="见证人的私钥文件 · the witness's key, made once")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="见证人的文件 · what it has seen")] = None,
    log_key: Annotated[str, typer.Option(help="本机关公布的公钥 · the office's public key")] = "",
) -> None:
    """见证:核对总账只增不改后副署 · Cosign the log's head where the log only grew.

    由另一方在自己的机器上定时运行。Run by a second party, on a machine of its own, by a timer.
    """
    from datetime import UTC, datetime

    from adapters.witnessing import source
    from engine.checkpoints import FILE, CheckpointFile
    from engine.keys import ENDING, Keyring
    from engine.signatures import COSIGNED, Signer, read_verifier
    from engine.witness import attest

    place = Settings().home / "witness"
    key, file = key or place / f"witness{ENDING}", file or place / FILE
    if key.suffix != ENDING:
        raise typer.BadParameter(
            f"私钥文件名须以 {ENDING} 结尾 · the key file must end in {ENDING}"
        )
    keyring = Keyring(key.parent)
    keyring.check()
    signer = Signer(keyring.key(key.stem, make=True), COSIGNED)
    kept = CheckpointFile(file.parent, file.name)
    if log_key:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept.introduce(read_verifier(log_key))
    with source(address, log_key) as found:
        head = attest(found, signer, kept, datetime.now(UTC))
    if head is None:
        say("总账没有新的检查点 · no new checkpoint")
    else:
        say(f"已副署 {head.size} 条({head.origin})· cosigned {head.size} events of {head.origin}")


@app.command()
def erase() -> None:
    """删除保存期满的个人信息 · Erase the personal data whose time is over."""
    from engine import erasures

    with office_of() as office:
        done = erasures.sweep(office.database, office.casework)
    say(
        f"限制 {done.restricted} 件,删除 {done.shredded} 件,保全 {done.held} 件"
        f" · {done.restricted} items restricted, {done.shredded} erased, {done.held} under a hold"
    )


# --- taking in ----------------------------------------------------------------------------------


@app.command(name="import")
def import_(
    file: ExistingFile,
    workflow: Annotated[str, typer.Option(help="流程 · the workflow")],
    map_: Annotated[
        Path,
        typer.Option(
            "--map", exists=True, dir_okay=False, help="列与字段的对应 · columns to fields"
        ),
    ],
    account: Annotated[
        str, typer.Option("--as", help="以谁的名义登记 · whose act it is (account, or public)")
    ] = "public",
) -> None:
    """导入 csv、json、xlsx 表格,可中断续传 · Import a table; killed anywhere, it goes on there.

    对应文件的写法见 docs/examples。See docs/examples for the map.
    """
    from adapters.tables import pieces, read_table
    from engine.errors import NotFound
    from engine.importing import Import, run_digest
    from engine.loader import parse
    from engine.mapping import Mapper, missing_columns, read_map
    from engine.people import PUBLIC

    told = map_.read_bytes()
    document = parse(told, map_.name)
    table = read_table(file)
    with office_of() as office:
        declared = office.casework.catalog.named(workflow).workflow
        found = read_map(document, declared)
        if findings := missing_columns(found, table.columns, document):
            raise DefinitionError(findings)
        actor = PUBLIC
        if account != PUBLIC.kind:
            with office.database.transaction() as session:
                actor = _staff(office.casework.house(session).office, account)
        elif PUBLIC.kind not in declared.transitions["submit"][0].by:
            raise NotFound(
                "公众不能提出此类事项,请用 --as 指明登记人的账号。"
                "The public cannot begin these; name the account that registers them with --as."
            )
        run = Import(
            office.database,
            office.casework,
            Mapper(found, declared),
            run_digest(pieces(file), told, workflow),
            actor,
        )
        before = run.begun()
        if before.read:
            say(f"接着上次,已读 {before.read} 行 · going on after {before.read} rows")
        _report(run, _take(run, table.rows, before.read, lambda: read_table(file).rows))


def _staff(office: Office, account: str) -> Actor:
    from engine.errors import NotFound
    from engine.people import Actor

    person = office.person_named(account)
    if person is None:
        raise NotFound(f"没有账号 {account},请核对。There is no account {account}; check it.")
    return Actor("person", person)


def _take(
    run: Import, rows: Iterator[Any], done: int, again: Callable[[], Iterator[Any]]
) -> Progress:
    """Take the rows in, with a bar on a terminal; `again` reads the table once more to count it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    screen = Console(stderr=True)
    total = sum(1 for _ in again()) if screen.is_terminal else None
    with Bar(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("导入 · importing", total=total, completed=done)

        def told(progress: Progress) -> None:
            line = f"接收 {progress.accepted} 拒收 {progress.refused}"
            bar.update(task, description=line, completed=progress.read)

        return run.take(rows, told)


def _report(run: Import, progress: Progress) -> None:
    for refusal in run.refusals():
        say(f"第 {refusal.row} 行 · row {refusal.row}: {refusal.reason}")
    read, accepted, refused = progress
    say(
        f"读取 {read} 行,接收 {accepted},拒收 {refused}"
        f" · {read} rows read, {accepted} accepted, {refused} refused"
    )


@app.command()
def replay(file: ExistingFile) -> None:
    """按时间重演办理过程(JSON Lines)· Replay acts, each at its own moment.

    每行 {item, workflow, act, at, actor, data},输出每行 {item, ok, state, error, code}。
    仅限示例单位或空库。Only in a sample office or an empty database.
    """
    import orjson

    from engine.errors import Refused
    from engine.replaying import Replay

    settings = Settings()
    with office_of(settings) as office, file.open("rb") as lines:
        run = Replay(office.database, office.casework)
        if not settings.sample and not run.empty():
            raise Refused(
                "重演会写入办理记录,只能在示例单位(BANJIE_SAMPLE=1)或空库中进行。"
                "A replay writes a history; use a sample office (BANJIE_SAMPLE=1) or an empty database."
            )
        for outcome in run.run(lines):
            say(orjson.dumps(outcome._asdict()).decode())


# --- what leaves --------------------------------------------------------------------------------


@export_app.command("ocel")
def export_ocel(file: Annotated[Path, typer.Argument(dir_okay=False, writable=True)]) -> None:
    """导出 OCEL 2.0 事件日志 · Export the journal as OCEL 2.0 JSON, without sealed workflows."""
    from adapters import ocel

    with office_of() as office:
        items, events = ocel.export_ocel(office.database, file)
    say(f"导出 {items} 件事项、{events} 条记录 · {items} items, {events} events")


@app.command()
def backup(folder: Annotated[Path, typer.Argument(file_okay=False)]) -> None:
    """备份到一个新文件夹 · Back up into a new folder."""
    from adapters.backups import back_up
    from adapters.opening import owner_url

    settings = Settings()
    with owner_url(settings) as url:
        held = back_up(url, folder, settings.home)
    say(
        f"备份完成:{held.items} 件事项、{held.events} 条记录 · "
        f"backed up: {held.items} items, {held.events} events\n"
        "以下不在其中,请另行保管 · not in it, keep copies elsewhere: "
        f"{settings.secret_path} {settings.keys_path} {settings.checkpoints_path}"
    )


@app.command()
def restore(folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)]) -> None:
    """恢复到空的数据库并核对记录链 · Restore into an empty database and verify the journal."""
    from adapters import backups
    from adapters.opening import owner_url

    settings = Settings()
    with owner_url(settings) as url:
        held, faults = backups.restore(url, folder, settings.home)
    for fault in faults:
        complain(fault)
    say(
        f"已恢复 {held.items} 件事项、{held.events} 条记录,{len(faults)} 处不符"
        f" · restored {held.items} items, {held.events} events; {len(faults)} faults"
    )
    raise typer.Exit(FAULTY if faults else DONE)
