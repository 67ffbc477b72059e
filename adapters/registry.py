"""Commands that keep the office's registers: its calendar, units, people and systems outside."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from adapters.terminal import DONE, FAULTY, ExistingFile, office_of, say
from engine.settings import Settings

calendar_app = typer.Typer(help="工作日历 · the working-day calendar", no_args_is_help=True)
sample_app = typer.Typer(help="示例单位 · the sample office", no_args_is_help=True)
user_app = typer.Typer(help="人员 · people", no_args_is_help=True)
unit_app = typer.Typer(help="单位 · units", no_args_is_help=True)
office_app = typer.Typer(help="机构名册 · the rolls of the office", no_args_is_help=True)
keys_app = typer.Typer(help="密库的密钥 · the keys of the vault", no_args_is_help=True)
webhook_app = typer.Typer(help="外部系统 · systems outside", no_args_is_help=True)
APPS = {
    "calendar": calendar_app,
    "keys": keys_app,
    "sample": sample_app,
    "user": user_app,
    "unit": unit_app,
    "office": office_app,
    "webhook": webhook_app,
}


# --- the calendar -------------------------------------------------------------------------------


@calendar_app.command("load")
def calendar_load(file: ExistingFile) -> None:
    """载入某年放假安排,重算在办时限 · Load a year's holidays and recompute running deadlines."""
    from adapters.calendar_files import load_calendar
    from engine import stalls

    with office_of() as office:
        loaded = load_calendar(office.database, file)
        moved = stalls.reproject(office.database, office.casework)
    say(
        f"{loaded.year} 年第 {loaded.edition} 版:放假 {loaded.off} 天、调休上班 {loaded.work} 天,"
        f"{moved} 个时限改期 · edition {loaded.edition} of {loaded.year}: {loaded.off} days off, "
        f"{loaded.work} made up for, {moved} deadlines moved"
    )


@calendar_app.command("due")
def calendar_due(
    start: Annotated[str, typer.Argument(help="起算事件之日 · day of the event, 2026-09-24")],
    span: Annotated[list[str], typer.Argument(help="期限 · a length of time: 5 working days")],
) -> None:
    """逐日列出期限的计算 · Print the working of a due date, day by day."""
    from adapters.due_table import due_table

    text = due_table(Settings(), start, " ".join(span))
    say(text)


# --- the people ---------------------------------------------------------------------------------


@unit_app.command("add")
def unit_add(
    code: Annotated[str, typer.Argument(help="代码 · code, like AUD")],
    name: Annotated[str, typer.Argument(help="名称 · name")],
    under: Annotated[
        str | None, typer.Option(help="上级单位的代码 · code of the unit above")
    ] = None,
) -> None:
    """添加单位,首个即本局 · Add a unit; the first one is the bureau."""
    from adapters.staffing import add_unit

    with office_of() as office:
        add_unit(office.database, office.casework.catalog, code, name, under)
    say(f"已添加 {code} {name} · added")


@user_app.command("add")
def user_add(
    account: Annotated[str, typer.Argument(help="账号 · account")],
    name: Annotated[str, typer.Option(help="姓名 · name")],
    unit: Annotated[str, typer.Option(help="所在单位 · home unit, by code or name")],
    role: Annotated[
        list[str], typer.Option(help="角色@单位 · role@unit, more than once for more roles")
    ] = [],  # noqa: B006 - typer copies it
    email: Annotated[str | None, typer.Option(help="邮箱 · for notices")] = None,
    certified_until: Annotated[
        str | None, typer.Option(help="执法证有效期至 · certificate valid until, 2030-12-31")
    ] = None,
) -> None:
    """添加人员,口令从终端或标准输入读取 · Add somebody; the password comes from the terminal or stdin."""
    from adapters.staffing import Newcomer, add_user

    if sys.stdin.isatty():
        password = typer.prompt("口令 · password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    newcomer = Newcomer(account, name, unit, tuple(role), email, certified_until, password)
    settings = Settings()
    with office_of(settings) as office:
        add_user(office.database, office.casework.catalog, newcomer, sample=settings.sample)
    say(f"已添加 {account} · added")


@office_app.command("import")
def office_import(
    file: ExistingFile,
    check: Annotated[bool, typer.Option("--check", help="只检查 · only say what it holds")] = False,  # noqa: FBT002 - typer declares options so
) -> None:
    """导入单位、人员、角色,全有或全无 · Bring in units, people and roles from csv or xlsx, all or nothing."""
    from adapters.staffing import import_office

    with office_of() as office:
        intake = import_office(office.database, office.casework.catalog, file, check=check)
    for row, column, sentence in intake.findings:
        say(f"第 {row} 行 · row {row}: {column} {sentence}")
    done = "未导入 · nothing done" if check or intake.findings else "已导入 · done"
    say(
        f"读取 {intake.read} 行,单位 {intake.units}、人员 {intake.people}、角色 {intake.roles} 项变更"
        f" · {intake.read} rows: {intake.units} units, {intake.people} people, {intake.roles} roles"
        f" changed; {len(intake.findings)} findings; {done}"
    )
    raise typer.Exit(FAULTY if intake.findings else DONE)


@office_app.command("export")
def office_export(
    file: Annotated[Path, typer.Argument(dir_okay=False, writable=True)],
) -> None:
    """导出同一格式的名册 · Write the office as csv, in the shape of the import."""
    from adapters.staffing import export_office

    with office_of() as office:
        count = export_office(office.database, file)
    say(f"导出 {count} 行 · {count} rows")


@sample_app.command("load")
def sample_load() -> None:
    """装入示例单位、账号和方案台账 · Load the sample office, its accounts and the plan's task ledger."""
    from adapters import sample
    from engine.errors import Refused
    from workflows import programmes

    settings = Settings()
    if not settings.sample:
        raise Refused(
            "示例账号的口令是公开的,只在 BANJIE_SAMPLE=1 时装入。"
            "Sample accounts have a published password and exist only under BANJIE_SAMPLE=1."
        )
    with office_of(settings) as office:
        sample.load(office.database, office.casework)
        rows = sample.load_programmes(
            office.database, office.casework, programmes(settings.workflows)
        )
    say(f"任务台账新增 {rows} 行 · {rows} new rows in the task ledger")
    say(f"示例账号 · sample accounts (口令 · password: {sample.PASSWORD}):")
    for at in range(0, len(sample.ACCOUNTS), 7):
        say(f"    {' '.join(sample.ACCOUNTS[at : at + 7])}")


@webhook_app.command("add")
def webhook_add(
    url: Annotated[str, typer.Argument(help="接收地址 · where to post")],
    unit: Annotated[str, typer.Option(help="听哪个单位的事项 · whose items it hears of")],
) -> None:
    """登记接收督办的外部系统 · Let a system outside hear of rungs, by signed webhook."""
    from adapters.staffing import add_endpoint

    settings = Settings()
    with office_of(settings) as office:
        secret = add_endpoint(office.database, url, unit, settings.webhook_hosts)
    say(f"签名密钥(只显示这一次)· signing secret, shown only now:\n{secret}")


# --- the keys of the vault ----------------------------------------------------------------------


@keys_app.command("renew")
def keys_renew() -> None:
    """以当月密钥重新包裹,并移除旧密钥 · Wrap all data keys anew and remove the older key files."""
    from engine import vault
    from engine.keys import Keyring

    settings = Settings()
    with office_of(settings) as office:
        keyring = Keyring(settings.keys_path)
        count = 0
        while done := office.database.perform(lambda session: vault.renew(session, keyring)):
            count += done
        gone = keyring.forget_before(keyring.epoch())
    say(
        f"重新包裹 {count} 个数据密钥,移除旧密钥 {len(gone)} 个"
        f" · {count} data keys wrapped anew, {len(gone)} older key files removed"
    )
