"""staff sessions, second factors, tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
RANDOM = sa.text("gen_random_uuid()")
OFF = sa.text("false")

STATEMENTS = (
    """
    CREATE TRIGGER access_event_is_append_only
      BEFORE UPDATE OR DELETE OR TRUNCATE ON access_event
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
    # Whoever changes a password or lets somebody leave, by whatever way: what was opened with the
    # old password, or for somebody who works here, is shut in the same transaction.
    """
    CREATE FUNCTION shut_doors() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
      SET search_path = public, pg_temp AS $$
    BEGIN
      IF NEW.password_hash IS DISTINCT FROM OLD.password_hash OR NEW.left_on <= current_date THEN
        DELETE FROM login WHERE person_id = NEW.id;
      END IF;
      IF NEW.left_on <= current_date THEN
        UPDATE api_token SET ended_at = now() WHERE person_id = NEW.id AND ended_at IS NULL;
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER person_shuts_doors AFTER UPDATE OF password_hash, left_on ON person
      FOR EACH ROW EXECUTE FUNCTION shut_doors()
    """,
    # What lets somebody in takes two people: one asked for the same within seven days, and nobody
    # was given it since; another than they, and than whose it is, gives it.
    """
    CREATE FUNCTION is_seconded(whose integer, what text, wanted text, by_whom integer)
      RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT by_whom <> whose AND EXISTS (
        SELECT FROM access_event a
        WHERE a.person_id = whose AND a.act = what || '_asked'
          AND a.reason IS NOT DISTINCT FROM wanted
          AND a.actor_id NOT IN (whose, by_whom) AND a.at > now() - interval '7 days'
          AND NOT EXISTS (
            SELECT FROM access_event d
            WHERE d.person_id = whose AND d.act = what AND d.actor_id <> whose AND d.id > a.id))
    $$
    """,
    """
    CREATE FUNCTION refuse_lone_password() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      by_whom integer :=
        substring(current_setting('banjie.principal', true) FROM '^person:([0-9]+)$')::integer;
    BEGIN
      IF by_whom <> NEW.id AND NOT is_seconded(NEW.id, 'password_reset', NULL, by_whom) THEN
        RAISE EXCEPTION 'a second person gives this password'
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_takes_two_people';
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER password_is_reset_by_two AFTER UPDATE OF password_hash ON person
      FOR EACH ROW WHEN (NEW.password_hash IS DISTINCT FROM OLD.password_hash)
      EXECUTE FUNCTION refuse_lone_password()
    """,
    """
    CREATE TRIGGER password_is_given_by_two AFTER INSERT ON person
      FOR EACH ROW WHEN (NEW.password_hash IS NOT NULL)
      EXECUTE FUNCTION refuse_lone_password()
    """,
    """
    CREATE FUNCTION refuse_lone_token() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.created_by <> NEW.person_id AND NOT is_seconded(
        NEW.person_id, 'token_created', array_to_string(NEW.scopes, ','), NEW.created_by) THEN
        RAISE EXCEPTION 'a second person gives this token'
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'token_takes_two_people';
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER token_is_given_by_two AFTER INSERT ON api_token
      FOR EACH ROW EXECUTE FUNCTION refuse_lone_token()
    """,
)


def upgrade() -> None:
    op.drop_table("login")  # nobody's session outlives an upgrade
    op.add_column(
        "person", sa.Column("password_temporary", sa.Boolean(), server_default=OFF, nullable=False)
    )
    op.create_table(
        "login",
        sa.Column("id", sa.Uuid(), server_default=RANDOM, nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        _person("person_id"),
        sa.Column("by_cookie", sa.Boolean(), server_default=OFF, nullable=False),
        sa.Column("owes", sa.Text(), nullable=True),
        sa.Column("began_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("last_seen_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("proven_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "owes IN ('password', 'factor', 'otp')", name=op.f("login_owes_something_known")
        ),
        _known("login", "person_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("login_key")),
        sa.UniqueConstraint("token_digest", name=op.f("login_token_digest_once")),
    )
    op.create_index(op.f("login_person_id"), "login", ["person_id"])
    op.create_index(op.f("login_expires_at"), "login", ["expires_at"])
    op.create_table(
        "second_factor",
        _person("person_id"),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("offered_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        _known("second_factor", "person_id"),
        sa.PrimaryKeyConstraint("person_id", name=op.f("second_factor_key")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _person("person_id"),
        sa.Column("used_at", MOMENT, nullable=True),
        _known("recovery_code", "person_id"),
        sa.PrimaryKeyConstraint("digest", name=op.f("recovery_code_key")),
    )
    op.create_index(op.f("recovery_code_person_id"), "recovery_code", ["person_id"])
    _create_tokens()
    op.create_table(
        "throttle",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", MOMENT, nullable=False),
        sa.Column("failed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("throttle_key")),
    )
    op.create_index(op.f("throttle_failed_at"), "throttle", ["failed_at"])
    op.create_table(
        "access_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        _person("person_id", nullable=True),
        _person("actor_id", nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        _known("access_event", "person_id"),
        _known("access_event", "actor_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("access_event_key")),
    )
    op.create_index("access_event_of_a_person", "access_event", ["person_id", "id"])
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TRIGGER person_shuts_doors ON person")
    op.execute("DROP FUNCTION shut_doors()")
    op.execute("DROP TRIGGER password_is_reset_by_two ON person")
    op.execute("DROP TRIGGER password_is_given_by_two ON person")
    op.execute("DROP FUNCTION refuse_lone_password()")
    op.execute("DROP TRIGGER token_is_given_by_two ON api_token")
    op.execute("DROP FUNCTION refuse_lone_token()")
    op.execute("DROP FUNCTION is_seconded(integer, text, text, integer)")
    for table in ("access_event", "throttle", "api_token", "recovery_code"):
        op.drop_table(table)
    op.drop_table("second_factor")
    op.drop_table("login")
    op.drop_column("person", "password_temporary")
    op.create_table(
        "login",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        _person("person_id"),
        sa.Column("expires_at", MOMENT, nullable=False),
        _known("login", "person_id"),
        sa.PrimaryKeyConstraint("token_digest", name=op.f("login_key")),
    )
    op.create_index(op.f("login_person_id"), "login", ["person_id"])


def _create_tokens() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Uuid(), server_default=RANDOM, nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        _person("person_id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        _person("created_by"),
        sa.Column("created_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'submit', 'advance', 'supervise']",
            name=op.f("api_token_has_known_scopes"),
        ),
        sa.CheckConstraint(
            "expires_at <= created_at + interval '367 days'", name=op.f("api_token_ends_in_a_year")
        ),
        _known("api_token", "person_id"),
        _known("api_token", "created_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("api_token_key")),
        sa.UniqueConstraint("token_digest", name=op.f("api_token_token_digest_once")),
    )
    op.create_index(op.f("api_token_person_id"), "api_token", ["person_id"])


def _person(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _known(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["person.id"], name=op.f(f"{table}_{column}_exists"))
