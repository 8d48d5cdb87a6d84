"""What is old is forgotten, in every project, and nothing else is."""

from guerdon.kit import db, housekeeping
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import enqueue, run_due


async def test_what_is_old_is_forgotten_and_nothing_else(pool: db.Pool) -> None:
    project, kind = new_id("project"), "test.old"
    await pool.execute("insert into projects (id, name) values ($1, 'old things')", project)
    await pool.execute(
        """
        insert into idempotency_keys (project_id, key, fingerprint, status, body, created_at)
        select $1, 'k' || n, '', 200, '', now() - n * interval '1 day' from generate_series(0, 9) n
        """,
        project,
    )
    await pool.execute(
        """
        insert into jobs (project_id, id, kind, status, action_type, finished_at)
        select $1, status || coalesce(action, '-') || days, $2, status, action, now() - days * interval '1 day'
        from unnest(array['DONE', 'DEAD', 'READY']) status, unnest(array['X', null]) action, unnest(array[1, 40, 100]) days
        """,
        project,
        kind,
    )
    await pool.execute(
        "insert into job_files (project_id, job_id, part, content) values ($1, 'DONEX1', 0, ''), ($1, 'DONEX40', 0, '')",
        project,
    )
    for name in ("forget.keys", "forget.jobs"):
        await enqueue(pool, "", name, {})
    await run_due(pool, housekeeping.jobs(idempotency_days=7))
    keys = await pool.fetch("select key from idempotency_keys where project_id = $1 order by key", project)
    assert [row["key"] for row in keys] == [f"k{n}" for n in range(7)]
    left = await pool.fetch("select id from jobs where project_id = $1", project)
    assert {row["id"] for row in left} == {
        *("DONEX1", "DONEX40", "DONE-1", "DEADX1", "DEADX40", "DEAD-1", "DEAD-40"),
        *("READYX1", "READYX40", "READYX100", "READY-1", "READY-40", "READY-100"),
    }
    files = await pool.fetch("select job_id from job_files where project_id = $1", project)
    assert [row["job_id"] for row in files] == ["DONEX1"]
