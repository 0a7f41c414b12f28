"""The drivers: two ways to run a session, with threads or on an asyncio loop.

A driver waits, and decides nothing. It consists of a backend, which a session is opened with, and a stream, which
reads what the session makes. The tests hold a third driver in 80 lines, made from this list.

A backend (`Backend` in `_protocols`) owes a run:

- `put`: adds a part to the inbox. Any thread may call it. Parts of one task keep their order.
- `capacity`: how full the inbox is, if its size is limited; otherwise `None`.
- `spawn`: starts a task run beside the one that calls it (a subtask). The end of its work needs no attention.
- `asynchronous`: whether callbacks and caches are to be awaited.

A stream owes a run:

1. It calls `session.opening()` once, drives that work, and carries out the effects that it returns.
2. It carries out effects in their order:
   - a `Part` goes to `router.forward` for the runs around and, if `router.is_own`, through `router.shape` to the
     consumer;
   - `StartTask`: it prepares a task run with `session.job(task)` and drives its `work` inside its `context`; a task
     that is `alone` may be driven in place;
   - `CancelTasks`: it sets the `stop` of these task runs and cancels what it awaits for them; each still reports
     its end;
   - `OpenStep`: it calls `run.open_step()`. Between two steps it may wait as long as it likes, to save the run for
     example;
   - `Finish`, `Fail` and `Exit`: it drives `session.closing(...)`, and returns the output or raises the exception.
3. The result of a task run's work is an event. It goes through the inbox, behind the last part of the task, and is
   then fed to the run: `run.feed(event)` returns the next effects. Of a `TaskFailed`, the exception is replaced by
   `as_public_error` of it.
4. It gives the consumer each part before it carries out what follows: a step starts when the consumer has taken what
   the last one showed.
5. When the consumer leaves, it sets `session.stop`, waits for what it can cancel, and drives
   `session.closing(None, error)`.

Driving work means: `next(work)`, then for each item that it yields

- `Call`: call `action.sync(*args)`, or await `action.asyn(*args)`; `nonblocking` ones need no thread of their own;
  `watch` limits their time; `shielded` ones are awaited to their end, also when the work is cancelled;
- `Sleep`: wait for so many seconds, or until its `stop` is set;
- `Join`: wait until these subtasks have ended, however they do;

and send the result back (`work.send`), or throw the exception (`work.throw`, with `wrap_for_throw`). The `return`
value of the work is its result. A driver marks the functions that drive with `propagates`, so that a cancelled node
can tell that its exception reaches somebody.
"""
