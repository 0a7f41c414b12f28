"""The drivers: two ways to run a session, with threads or on an asyncio loop.

A driver waits, and decides nothing. It consists of a backend, with which a session is opened, and a stream, which
consumes the parts and events of the session. The tests contain a third driver in 80 lines, written from this list.

A backend (`Backend` in `_protocols`) provides:

- `put`: adds a part to the inbox. Thread-safe. Parts of one task keep their order.
- `capacity`: the `Capacity` of the inbox if its size is limited, else `None`.
- `spawn`: starts a subtask's task run beside its caller. The driver ignores the event that its work returns.
- `tell`: lets the stream carry out effects that come beside the run, those of questions which are answered while it
  goes on; while a task waits for a person, the time of its step stands still.
- `asynchronous`: true if callbacks and caches are awaited.

A stream does the following:

1. It calls `session.opening()` once, drives that work, and carries out the effects that it returns.
2. It carries out effects in their order:
   - a `Part` goes to `router.forward` for the parent runs and, if `router.is_own`, through `router.shape` to the
     consumer;
   - `StartTask`: it prepares a task run with `session.job(task)` and drives its `work` inside its `context`; a task
     that is `alone` may be driven in place;
   - `CancelTasks`: it sets the `stop` of these task runs and cancels what it awaits for them; each still reports its
     end;
   - `OpenStep`: it calls `run.open_step()`. Between two steps it may wait for any time, for example to save the run;
   - `Finish`, `Fail` and `Exit`: it drives `session.closing(...)`, and returns the output or raises the exception.
3. The result of a task run's work is an event. It goes through the inbox, behind the last part of the task, and is then
   fed to the run: `run.feed(event)` returns the next effects. The exception of a `TaskFailed` is first replaced by the
   result of `as_public_error`.
4. It returns each part to the consumer before it carries out the next effect: a step starts when the consumer has taken
   the parts of the previous step.
5. When the consumer leaves, it sets `session.stop`, waits for everything that it can cancel, and drives
   `session.closing(error, unsaved)`, where `unsaved` is each `Note` and `Save` that it was told and has not kept.

Driving work means calling `next(work)`, and then for each item that it yields:

- `Call`: call `action.sync(*args)`, or await `action.asyn(*args)`. `nonblocking` calls need no thread of their own;
  `watch` limits their time; `shielded` calls are awaited to their end even if the work is cancelled;
- `Sleep`: wait for the given seconds, or until its `stop` is set;
- `Join`: wait until the subtasks have ended, with or without an error;

and sending the result back (`work.send`), or throwing the exception (`work.throw`, with `wrap_for_throw`). The `return`
value of the work is its result. Functions that drive are marked with `propagates`: cancelled work looks for them on the
call stack to find out if its exception would reach a driver.
"""
