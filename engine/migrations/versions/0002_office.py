"""the office: posts, conflicts, leavers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PERSON = "account, name, unit_id, email, post, post_kind, certificate, certified_until, left_on, successors"
"""What of a person belongs to the record of the office; passwords and keys never do."""

RECORDED = ("unit", "person", "membership", "leave", "officer_conflict", "role_proposal")

# Which roles exclude one another for good (domain 2.1); the exclusions below stand on these.
WORDS = (
    """
    CREATE FUNCTION role_kind(role text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE role WHEN 'auditor' THEN 'audit' WHEN 'admin' THEN 'administration'
      WHEN 'discipline' THEN 'discipline' ELSE 'work' END
    """,
    """
    CREATE FUNCTION role_side(role text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN role = 'handler' THEN 'handles'
      WHEN role IN ('liaison', 'deputy', 'law_reviewer') THEN 'checks' END
    """,
)

PROMISES = (
    # The tree. As the owner: an administrator sees no items, and a unit with open ones does not
    # close. The lock makes two moves that would close a circle together come one after the other.
    """
    CREATE FUNCTION refuse_unsound_tree() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
    BEGIN
      PERFORM FROM bureau FOR UPDATE;
      IF EXISTS (
        WITH RECURSIVE up(id) AS (
          SELECT NEW.parent_id UNION SELECT u.parent_id FROM unit u JOIN up ON u.id = up.id
        ) SELECT FROM up WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'unit % would lie below itself', NEW.id
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'unit_tree_has_no_circle';
      END IF;
      IF NEW.closed_on IS NULL AND EXISTS (
          SELECT FROM unit WHERE id = NEW.parent_id AND closed_on IS NOT NULL) THEN
        RAISE EXCEPTION 'the unit above is closed'
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'unit_above_is_open';
      END IF;
      IF NEW.closed_on IS NOT NULL AND (
          NEW.parent_id IS NULL
          OR EXISTS (SELECT FROM unit WHERE parent_id = NEW.id AND closed_on IS NULL)
          OR EXISTS (SELECT FROM person WHERE unit_id = NEW.id AND left_on IS NULL)
          OR EXISTS (SELECT FROM item WHERE unit_id = NEW.id AND closed_at IS NULL)) THEN
        RAISE EXCEPTION 'unit % is not empty', NEW.id
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'unit_closes_empty';
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER unit_tree_is_sound AFTER INSERT OR UPDATE OF parent_id, closed_on ON unit
      FOR EACH ROW EXECUTE FUNCTION refuse_unsound_tree()
    """,
    """
    CREATE FUNCTION refuse_closed_unit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM FROM bureau FOR UPDATE;
      IF EXISTS (SELECT FROM unit WHERE id = NEW.unit_id AND closed_on IS NOT NULL) THEN
        RAISE EXCEPTION 'unit % is closed', NEW.unit_id
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'person_works_in_an_open_unit';
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER person_works_in_an_open_unit AFTER INSERT OR UPDATE OF unit_id ON person
      FOR EACH ROW EXECUTE FUNCTION refuse_closed_unit()
    """,
    """
    CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is never removed', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'office_is_never_removed';
    END $$
    """,
    *(
        f"CREATE TRIGGER {table}_is_never_removed BEFORE DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal()"
        for table in ("unit", "person", "officer_conflict", "role_proposal")
    ),
    """
    CREATE FUNCTION raise_revision() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.revision := OLD.revision + 1;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER unit_revision_rises BEFORE UPDATE ON unit
      FOR EACH ROW EXECUTE FUNCTION raise_revision()
    """,
    f"""
    CREATE TRIGGER person_revision_rises BEFORE UPDATE OF {PERSON} ON person
      FOR EACH ROW EXECUTE FUNCTION raise_revision()
    """,
    # Nobody grants roles to himself, and the roles that guard the others take two people.
    """
    CREATE FUNCTION refuse_own_hand() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      held membership := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
      by_whom text := coalesce(current_setting('banjie.office_actor', true), '');
    BEGIN
      IF by_whom = 'person:' || held.person_id AND TG_OP <> 'DELETE' THEN
        RAISE EXCEPTION 'nobody grants roles to himself'
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'role_never_from_ones_own_hand';
      END IF;
      IF by_whom LIKE 'person:%' AND held.role IN ('admin', 'head', 'deputy', 'liaison', 'discipline')
        AND NOT EXISTS (
          SELECT FROM role_proposal p
          WHERE (p.person_id, p.role, p.unit_id) = (held.person_id, held.role, held.unit_id)
            AND p.granted = (TG_OP <> 'DELETE') AND p.confirmed AND p.decided_at = now()) THEN
        RAISE EXCEPTION 'a second person confirms this role'
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'role_takes_two_people';
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER role_is_given_by_others AFTER INSERT OR UPDATE OR DELETE ON membership
      FOR EACH ROW EXECUTE FUNCTION refuse_own_hand()
    """,
    # Whoever stands in acts in the roles of the absent beside their own.
    """
    CREATE FUNCTION refuse_unlawful_substitute() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM FROM bureau FOR UPDATE;
      IF EXISTS (
        SELECT FROM leave l
        JOIN membership a ON a.person_id = l.person_id
        JOIN membership s ON s.person_id = l.substitute_id
        WHERE (l.person_id = NEW.person_id OR l.substitute_id = NEW.person_id)
          AND l.last_on >= (SELECT (now() + practice_offset)::date FROM bureau)
          AND (role_kind(a.role) <> role_kind(s.role) OR role_side(a.role) <> role_side(s.role))) THEN
        RAISE EXCEPTION 'the substitute could not lawfully hold the roles'
          USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'leave_substitute_is_lawful';
      END IF;
      RETURN NULL;
    END $$
    """,
    *(
        f"CREATE TRIGGER {table}_leaves_substitutes_lawful AFTER INSERT OR UPDATE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION refuse_unlawful_substitute()"
        for table in ("leave", "membership")
    ),
    # A conflict once declared may end; nothing else about it changes.
    """
    CREATE FUNCTION refuse_rewriting_conflict() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.ended_on IS NOT NULL OR NEW.ended_on IS NULL
        OR to_jsonb(NEW) - 'ended_on' IS DISTINCT FROM to_jsonb(OLD) - 'ended_on' THEN
        RAISE EXCEPTION 'a declared conflict can only end, once'
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'conflict_only_ends';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER conflict_only_ends BEFORE UPDATE ON officer_conflict
      FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_conflict()
    """,
    """
    CREATE FUNCTION refuse_rewriting_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.decided_at IS NOT NULL OR NEW.decided_at IS NULL
        OR to_jsonb(NEW) - ARRAY['decided_at', 'decided_by', 'confirmed'] IS DISTINCT FROM
          to_jsonb(OLD) - ARRAY['decided_at', 'decided_by', 'confirmed'] THEN
        RAISE EXCEPTION 'a proposal is decided once'
          USING ERRCODE = 'restrict_violation', CONSTRAINT = 'proposal_is_decided_once';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER proposal_is_decided_once BEFORE UPDATE ON role_proposal
      FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_proposal()
    """,
    # The record of the office: written by the tables themselves, so that no way in leaves it out.
    # The lock on the bureau's row makes the chain one line.
    f"""
    CREATE FUNCTION office_facts(about text, facts jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN facts IS NULL THEN NULL WHEN about = 'person' THEN
      (SELECT jsonb_object_agg(key, value) FROM jsonb_each(facts)
        WHERE key = 'id' OR key = ANY (string_to_array('{PERSON}', ', ')))
      ELSE facts - 'revision' END
    """,  # noqa: S608 - constants of this file
    """
    CREATE FUNCTION write_office_event(about text, act text, before jsonb, after jsonb)
      RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
      last office_event;
      moment timestamptz;
      entry jsonb;
    BEGIN
      SELECT now() + practice_offset INTO moment FROM bureau FOR UPDATE;
      SELECT * INTO last FROM office_event ORDER BY seq DESC LIMIT 1;
      entry := jsonb_build_object(
        'seq', coalesce(last.seq, 0) + 1,
        'at', to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'by', coalesce(nullif(current_setting('banjie.office_actor', true), ''), 'database'),
        'about', about, 'act', act,
        'before', office_facts(about, before), 'after', office_facts(about, after));
      INSERT INTO office_event (seq, entry, hash) VALUES (
        coalesce(last.seq, 0) + 1, entry,
        sha256(coalesce(last.hash, decode(repeat('00', 32), 'hex'))
          || convert_to(entry::text, 'UTF8')));
    END $$
    """,
    """
    CREATE FUNCTION record_office_change() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
      after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    BEGIN
      IF office_facts(TG_TABLE_NAME, before) IS DISTINCT FROM office_facts(TG_TABLE_NAME, after) THEN
        PERFORM write_office_event(TG_TABLE_NAME, lower(TG_OP), before, after);
      END IF;
      RETURN NULL;
    END $$
    """,
    *(
        f"CREATE TRIGGER {table}_is_recorded AFTER INSERT OR UPDATE"
        f"{f' OF {PERSON}' if table == 'person' else ''} OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION record_office_change()"
        for table in RECORDED
    ),
    """
    CREATE TRIGGER office_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON office_event
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
    """,
    # what was there before the record began
    *(
        f"SELECT write_office_event('{table}', 'insert', NULL, to_jsonb(t)) FROM {table} t"  # noqa: S608 - constants of this file
        for table in ("unit", "person", "membership", "leave")
    ),
    """
    CREATE TRIGGER officer_conflict_changes_the_office AFTER INSERT OR UPDATE ON officer_conflict
      FOR EACH STATEMENT EXECUTE FUNCTION raise_office_revision()
    """,
    "DROP TRIGGER person_changes_the_office ON person",
    f"""
    CREATE TRIGGER person_changes_the_office AFTER INSERT OR DELETE OR UPDATE OF {PERSON}
      ON person FOR EACH STATEMENT EXECUTE FUNCTION raise_office_revision()
    """,
)

UNDONE = (
    *(f"DROP TRIGGER {table}_is_recorded ON {table}" for table in RECORDED[:4]),
    *(
        f"DROP TRIGGER {table}_leaves_substitutes_lawful ON {table}"
        for table in ("leave", "membership")
    ),
    "DROP TRIGGER role_is_given_by_others ON membership",
    "DROP TRIGGER person_revision_rises ON person",
    "DROP TRIGGER unit_revision_rises ON unit",
    "DROP TRIGGER unit_is_never_removed ON unit",
    "DROP TRIGGER person_is_never_removed ON person",
    "DROP TRIGGER person_works_in_an_open_unit ON person",
    "DROP TRIGGER unit_tree_is_sound ON unit",
    "DROP TRIGGER person_changes_the_office ON person",
    """
    CREATE TRIGGER person_changes_the_office
      AFTER INSERT OR DELETE OR UPDATE OF account, name, unit_id, email, certified_until, left_on
      ON person FOR EACH STATEMENT EXECUTE FUNCTION raise_office_revision()
    """,
)


def upgrade() -> None:
    for statement in WORDS:
        op.execute(statement)
    op.add_column("unit", sa.Column("closed_on", sa.Date(), nullable=True))
    op.add_column(
        "unit", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.create_index(
        "unit_has_one_root",
        "unit",
        [sa.literal_column("(parent_id IS NULL)")],
        unique=True,
        postgresql_where=sa.text("parent_id IS NULL"),
    )
    op.add_column("person", sa.Column("post", sa.Text(), nullable=True))
    op.add_column(
        "person",
        sa.Column("post_kind", sa.Text(), server_default=sa.text("'staff'"), nullable=False),
    )
    op.add_column("person", sa.Column("certificate", sa.Text(), nullable=True))
    op.add_column(
        "person",
        sa.Column(
            "successors",
            postgresql.ARRAY(sa.Integer()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column(
        "person", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.create_check_constraint(
        op.f("person_post_is_known"), "person", "post_kind IN ('main_head', 'other_head', 'staff')"
    )
    op.create_index(
        "person_one_main_head",
        "person",
        ["post_kind"],
        unique=True,
        postgresql_where=sa.text("post_kind = 'main_head' AND left_on IS NULL"),
    )
    op.create_index(
        "person_certificate_once",
        "person",
        ["certificate"],
        unique=True,
        postgresql_where=sa.text("certificate IS NOT NULL"),
    )
    op.create_exclude_constraint(
        "role_never_of_two_kinds",
        "membership",
        (sa.column("person_id"), "="),
        (sa.literal_column("role_kind(role)"), "<>"),
        using="gist",
    )
    op.create_exclude_constraint(
        "role_never_checks_own_work",
        "membership",
        (sa.column("person_id"), "="),
        (sa.literal_column("role_side(role)"), "<>"),
        using="gist",
        where=sa.text("role_side(role) IS NOT NULL"),
    )
    op.create_exclude_constraint(
        "leave_never_overlaps",
        "leave",
        (sa.column("person_id"), "="),
        (sa.literal_column("daterange(first_on, last_on, '[]')"), "&&"),
        using="gist",
    )
    op.create_check_constraint(
        op.f("leave_substitute_is_another"), "leave", "substitute_id <> person_id"
    )
    op.create_table(
        "officer_conflict",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("other_person_id", sa.Integer(), nullable=True),
        sa.Column("other_unit_id", sa.Integer(), nullable=True),
        sa.Column("outside", sa.Text(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("declared_on", sa.Date(), nullable=False),
        sa.Column("declared_by", sa.Integer(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(other_person_id, other_unit_id, outside) = 1",
            name=op.f("officer_conflict_is_with_one"),
        ),
        sa.CheckConstraint(
            "other_person_id <> person_id", name=op.f("officer_conflict_is_with_another")
        ),
        sa.CheckConstraint(
            "ground IN ('near_relative', 'interest', 'former_post', 'other')",
            name=op.f("officer_conflict_ground_is_known"),
        ),
        sa.CheckConstraint(
            "outside IN ('trader', 'industry', 'family_business', 'agency', 'other')",
            name=op.f("officer_conflict_outside_is_known"),
        ),
        sa.CheckConstraint(
            "ended_on >= declared_on", name=op.f("officer_conflict_ends_after_it_begins")
        ),
        sa.ForeignKeyConstraint(
            ["declared_by"], ["person.id"], name=op.f("officer_conflict_declared_by_exists")
        ),
        sa.ForeignKeyConstraint(
            ["other_person_id"], ["person.id"], name=op.f("officer_conflict_other_person_id_exists")
        ),
        sa.ForeignKeyConstraint(
            ["other_unit_id"], ["unit.id"], name=op.f("officer_conflict_other_unit_id_exists")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("officer_conflict_person_id_exists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("officer_conflict_key")),
    )
    op.create_index(
        "officer_conflict_of_person",
        "officer_conflict",
        ["person_id"],
        postgresql_where=sa.text("ended_on IS NULL"),
    )
    op.create_table(
        "role_proposal",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("proposed_by", sa.Integer(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "num_nulls(decided_by, decided_at, confirmed) IN (0, 3)",
            name=op.f("role_proposal_is_decided_whole"),
        ),
        sa.CheckConstraint(
            "proposed_by <> person_id AND decided_by IS DISTINCT FROM person_id"
            " AND decided_by IS DISTINCT FROM proposed_by",
            name=op.f("role_proposal_takes_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("role_proposal_decided_by_exists")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("role_proposal_person_id_exists")
        ),
        sa.ForeignKeyConstraint(
            ["proposed_by"], ["person.id"], name=op.f("role_proposal_proposed_by_exists")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("role_proposal_unit_id_exists")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("role_proposal_key")),
    )
    op.create_index(
        "role_proposal_open_once",
        "role_proposal",
        ["person_id", "role", "unit_id"],
        unique=True,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_table(
        "office_event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("office_event_has_a_hash")),
        sa.PrimaryKeyConstraint("seq", name=op.f("office_event_key")),
    )
    for statement in PROMISES:
        op.execute(statement)


def downgrade() -> None:
    for statement in UNDONE:
        op.execute(statement)
    op.drop_table("office_event")
    op.drop_table("role_proposal")
    op.drop_table("officer_conflict")
    op.drop_constraint(op.f("leave_substitute_is_another"), "leave", type_="check")
    op.drop_constraint("leave_never_overlaps", "leave")
    op.drop_constraint("role_never_checks_own_work", "membership")
    op.drop_constraint("role_never_of_two_kinds", "membership")
    op.drop_index("person_certificate_once", "person")
    op.drop_index("person_one_main_head", "person")
    for column in ("revision", "successors", "certificate", "post_kind", "post"):
        op.drop_column("person", column)
    op.drop_index("unit_has_one_root", "unit")
    for column in ("revision", "closed_on"):
        op.drop_column("unit", column)
    for function in (
        "record_office_change()",
        "write_office_event(text, text, jsonb, jsonb)",
        "office_facts(text, jsonb)",
        "refuse_rewriting_proposal()",
        "refuse_rewriting_conflict()",
        "refuse_unlawful_substitute()",
        "refuse_own_hand()",
        "raise_revision()",
        "refuse_removal()",
        "refuse_closed_unit()",
        "refuse_unsound_tree()",
        "role_side(text)",
        "role_kind(text)",
    ):
        op.execute(f"DROP FUNCTION {function}")
