"""The tables, one definition for SQLite and Postgres. A change here needs a migration."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

# Only a column of type INTEGER is a row id on SQLite; Postgres gets 64 bits.
ID = BigInteger().with_variant(Integer, "sqlite")

# Names sort by their bytes on both databases, so that a page of runs means the same on each.
NAME = Text().with_variant(Text(collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite keeps no time zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware -> what the database stores."""
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None if dialect.name == "sqlite" else UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the database stores -> aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


# Named constraints, because SQLite can drop only what has a name.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

projects = Table(
    "projects",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", NAME),  # null: it was deleted, see deletion.py
    Column("roles", Text, nullable=False),  # JSON: raw curve name -> role
    Column("params", Text, nullable=False),  # JSON: rule -> field -> value
    Column("roll_up_after_days", Integer, nullable=False, server_default="0"),  # 0: never
    Column("revision", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("public_status", Boolean, nullable=False, server_default=false()),  # its badge and metrics need no token
    Column("mlflow", Text),  # JSON: what its MLflow experiment has beside a name; null when none of it was said
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

# What runs look for together: the best hyper-parameters. Few rows, so no shards.
searches = Table(
    "searches",
    metadata,
    Column("id", ID, primary_key=True),
    Column("project_id", ID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", NAME, nullable=False),
    Column("search", Text, nullable=False),  # JSON: its metric, its space and what is known of the task
    Column("revision", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("project_id", "name"),
    sqlite_autoincrement=True,
)

# AUTOINCREMENT: an id is never given out twice, so points that wait for a deleted run cannot land in a new one.
runs = Table(
    "runs",
    metadata,
    Column("id", ID, primary_key=True),
    Column("project_id", ID, ForeignKey("projects.id")),  # null: it was deleted, see deletion.py
    Column("name", NAME, nullable=False),
    Column("context", Text, nullable=False),  # JSON: the fields of Context except its state
    Column("config", Text, nullable=False),  # JSON
    Column("tags", Text, nullable=False),  # JSON
    Column("commit", Text),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),  # the latest
    Column("revision", BigInteger, nullable=False),  # grows with every change; chunks take their sequence from it
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("rolled_up_at", UtcDateTime),  # null: every point is kept, see rolling_up.py
    Column("mlflow_id", Text, index=True),  # by which MLflow's clients know it; null: they do not
    Column("mlflow", Text),  # JSON: what they said about it and Curvewise has no place for
    Column("search_id", ID, ForeignKey("searches.id", ondelete="SET NULL"), index=True),  # null: it is of none
    Column("search_step", Integer),  # of the seven, as the job said; null: it did not say
    UniqueConstraint("project_id", "name"),
    sqlite_autoincrement=True,
)


def _run_id() -> Column[int]:
    return Column("run_id", ID, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)


curves = Table(
    "curves",
    metadata,
    _run_id(),
    Column("curve", Integer, primary_key=True, autoincrement=False),
    Column("name", NAME, nullable=False),
    # Chunks up to this sequence are settled: sorted, and of one attempt no two share a stretch of steps.
    Column("settled", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("run_id", "name"),
)

attempts = Table(
    "attempts",
    metadata,
    _run_id(),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("first_step", Double),  # least step of a curve that is not a validation curve; null when there is none
)

chunks = Table(
    "chunks",
    metadata,
    _run_id(),
    Column("curve", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # a later one wins at the same step
    Column("points", Integer, nullable=False),
    Column("first_step", Double, nullable=False),  # least step of the block, which need not be sorted
    Column("last_step", Double, nullable=False),
    Column("block", LargeBinary, nullable=False),  # see blocks.py
)

# Beside the chunks and not within, because what reads bins must not walk past blocks of many megabytes.
bins = Table(
    "bins",
    metadata,
    _run_id(),
    Column("curve", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),  # of the chunk that they sum up
    Column("bins", LargeBinary, nullable=False),  # see bins.py
)

# Of closed runs, so that dashboards need not wait for archives to be judged; a cache that may be emptied at any time.
diagnoses = Table(
    "diagnoses",
    metadata,
    _run_id(),
    Column("proposed", Boolean, primary_key=True),  # judged again, and not told yet
    Column("version", Text, nullable=False),
    Column("diagnosis", Text, nullable=False),  # JSON
)

# What else is kept of a run. What MLflow's clients log beside numbers: datasets, models, which nothing here reads but
# those clients. And which attempt was given to whom, see attempts.py.
mlflow_assets = Table(
    "mlflow_assets",
    metadata,
    _run_id(),
    Column("kind", Text, primary_key=True),  # input, output, model; attempt
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),  # JSON
)

# What a checkpoint predicts for the validation examples.
predictions = Table(
    "predictions",
    metadata,
    _run_id(),
    Column("at_step", Double, primary_key=True, autoincrement=False),  # of the checkpoint
    Column("kind", Text, nullable=False),  # probabilities, logits, values
    Column("examples", Integer, nullable=False),
    Column("classes", Integer),  # null: values
    Column("targets", Text, nullable=False),  # their fingerprint: only what has the same is averaged
    Column("loss", Double, nullable=False),
    Column("accuracy", Double),  # null: values
    Column("digest", Text, nullable=False),  # of the arrays, so that the same ones sent again write nothing
    Column("posted_at", UtcDateTime, nullable=False),
    Column("arrays", LargeBinary, nullable=False),  # see predictions.py
)

# What the monitor knows of a run, so that nobody who lists runs need judge them. A cache: emptied, it is made again.
standings = Table(
    "standings",
    metadata,
    _run_id(),
    Column("turn", BigInteger, nullable=False),  # how often it was looked at: who writes must have read the latest
    Column("revision", BigInteger, nullable=False),  # of the run, when it was judged
    Column("attempt", Integer, nullable=False),
    Column("basis", Text, nullable=False),  # by which rules and settings
    Column("judged_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),  # then it is looked at again though nothing was written; null: never
    Column("state", Text, nullable=False),
    Column("stalled_since", UtcDateTime),  # null: it is not stalled
    Column("severity", Integer, nullable=False),  # of its worst finding that fired: 0 none, 1 info, 2 warning, 3 error
    Column("through_step", Double),  # null: it has no points
    Column("sequence", BigInteger, nullable=False),  # of its last event
    Column("heard_at", UtcDateTime, nullable=False),  # when it was last written to, as of this look
    Column("gaps", Text, nullable=False),  # JSON: how often how much time passed between two batches, see cadence.py
    Column("sparkline_curve", Text),  # of which curve; null: it has none that is drawn
    Column("sparkline", Text, nullable=False),  # JSON: at most 60 values, evenly through the run
)

# A finding shows in its row from the first judgement that has it; people are told once it has fired.
findings = Table(
    "findings",
    metadata,
    _run_id(),
    Column("code", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("confidence", Double, nullable=False),
    Column("onset_step", Double, nullable=False),
    Column("summary", Text, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("fired_at", UtcDateTime),  # null: it has not held for long enough
    Column("gone_since", UtcDateTime),  # null: the last judgement had it
)

# What happened to runs. Few rows a run, so no shards; what is handed on to whoever is to be told, is so once.
events = Table(
    "events",
    metadata,
    Column("id", ID, primary_key=True),
    Column("run_id", ID, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("sequence", BigInteger, nullable=False),  # counts from 1 within the run
    Column("kind", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("payload", Text, nullable=False),  # JSON
    Column("handed_on", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("run_id", "sequence"),
    sqlite_autoincrement=True,
)
Index("ix_events_waiting", events.c.id, sqlite_where=~events.c.handed_on, postgresql_where=~events.c.handed_on)
Index("ix_events_created_at", events.c.created_at)
Index("ix_runs_project_id_created_at", runs.c.project_id, runs.c.created_at, runs.c.name)

# Whom a project tells what happened to its runs. Few rows, so no shards, like the events that they are told of.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", ID, primary_key=True),
    Column("project_id", ID, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),  # in clear, since messages are signed with it
    Column("template", Text, nullable=False),
    Column("events", Text, nullable=False),  # JSON: the kinds that it wants
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),  # when its receiver said that it wants no more; null: it is told
    sqlite_autoincrement=True,
)

# One message to one webhook: to be sent, sent, or given up. Whoever pushes `due_at` on has claimed it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("webhook_id", ID, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("run_id", ID, ForeignKey("runs.id", ondelete="CASCADE"), index=True),  # null: it is about no run
    Column("message_id", Text, nullable=False),  # the same however often it is sent
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),  # as it is sent and signed
    Column("state", Text, nullable=False),  # waiting, delivered, dead
    Column("attempts", Integer, nullable=False),  # begun since it was made or replayed
    Column("due_at", UtcDateTime, index=True),  # null: nothing is to be done
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("tried_at", UtcDateTime),
    Column("status", Integer),  # of the last answer; null: there was none
    Column("error", Text),  # why the last attempt failed
    sqlite_autoincrement=True,
)

# Who is let in. Few rows, so no shards.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),  # public: what lists and logs call it
    Column("digest", Text, nullable=False),  # of its secret, which is kept nowhere
    Column("role", Text, nullable=False),
    Column("projects", Text),  # JSON: names of projects, which need not exist yet; null for all
    Column("label", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

# Who deleted or changed what, and when. It outlives what it tells of.
audit = Table(
    "audit",
    metadata,
    Column("id", ID, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("by", Text, nullable=False),  # the id of a token, or how else somebody came
    Column("did", Text, nullable=False),
    Column("project", NAME),
    Column("run", NAME),
    Column("detail", Text, nullable=False),  # JSON
    sqlite_autoincrement=True,
)
