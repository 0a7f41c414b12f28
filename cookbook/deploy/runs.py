"""The runs that server processes queue and workers drive, if there are workers."""

import os
from pathlib import Path

from streamgraph_integrations.dbos_runs import QueuedRuns
from streamgraph_integrations.redis_events import RedisEvents


def runs():
    database = os.environ["DATABASE_URL"]
    graphs = {"graph": f"{Path(__file__).with_name('app.py')}:graph"}
    return QueuedRuns(graphs, database, RedisEvents(os.environ["REDIS_URL"]), checkpointer=database)
