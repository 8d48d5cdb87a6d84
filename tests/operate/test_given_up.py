"""Jobs that were given up are told of, and can be had tried once more."""

from guerdon.doctor import _jobs
from guerdon.kit import db, jobs
from guerdon.kit.given_up import given_up, try_again
from guerdon.kit.jobs import GiveUp, Mourned, Work
from guerdon.projects.bootstrap import create_project


async def test_the_doctor_tells_and_a_command_tries_again(pool: db.Pool) -> None:
    project_id = (await create_project(pool, "tired")).project_id
    broken, done = True, list[str]()

    async def tiring(work: Work) -> None:
        if broken:
            raise RuntimeError("the moon is full")
        done.append(work.job.id)

    async def hopeless(work: Work) -> None:
        raise GiveUp("it never can be")

    async def mourn(conn: db.Conn, job: jobs.Job) -> None:
        done.append(f"mourned {job.id}")

    handlers = {"t.tiring": tiring, "t.hopeless": hopeless, "t.mourned": Mourned(tiring, mourn)}
    async with pool.acquire() as conn:
        assert [finding.level for finding in await _jobs(conn)] == ["ok"]
        names = {
            kind: await jobs.enqueue(conn, project_id, kind, {"a": 1}, max_attempts=1) for kind in handlers
        }
        await jobs.run_due(pool, handlers)
        assert [(one.kind, one.jobs) for one in await given_up(conn)] == [("t.mourned", 1), ("t.tiring", 1)]
        [finding] = await _jobs(conn)
        assert (
            finding.level == "warn" and "1 × t.tiring" in finding.says and "the moon is full" in finding.says
        )
        assert "guerdon retry" in finding.mend

        assert await try_again(conn, ["t.other"]) == 0
        assert await try_again(conn, but=["t.mourned"]) == 1
        broken = False
        await jobs.run_due(pool, handlers)
        assert done == [f"mourned {names['t.mourned']}", names["t.tiring"]]
        states = dict(await conn.fetch("select kind, status from jobs where project_id = $1", project_id))
    assert states == {"t.tiring": "DONE", "t.hopeless": "DEAD", "t.mourned": "DEAD"}
