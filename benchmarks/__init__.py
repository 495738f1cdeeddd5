"""What `make bench` runs: our debits against a naive design and against the bare database, on one machine, in turn.

Machines drift, so no figure is a number of this run alone: each is a ratio of two rivals that were measured one right
after the other, several times, and the median of those ratios is reported.

    load.py       the client: raw sockets, prebuilt requests, every answer checked
    serving.py    a granian on a loopback port, and what its processes burnt
    naive.py      the rival: FastAPI, SQLAlchemy, balance = SUM(history)
    floor.py      the bound: pgbench running the very statements that one debit of ours runs
    history.py    accounts with long histories, made by SQL as the service would have made them
    scratch.py    the scratch database
    scene.py      both servers on it, and who debits what
    contests.py   the figures
    report.py     table and JSON
    run.py        all of it, in order
"""
