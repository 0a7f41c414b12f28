"""Names that libraries import from LangGraph's private modules, at the same places under this package.

**This folder is for those libraries only.** LangGraph promises nothing about these names, and neither does this
package: when the libraries that a comment names no longer need a name, it goes. Nothing is made here: every name is a
public one of this package, or a helper that lies elsewhere, under the name that LangGraph gives it. Each name has a
comment with who needs it; a name that nobody needs is not added. New code imports the public names instead:

| here | in new code |
|---|---|
| `_internal._runnable.RunnableCallable` | `streamgraph.utils.runnable.RunnableCallable` |
| `_internal._config.patch_configurable`, `ensure_config` | `streamgraph.utils.config` |
| `_internal._typing.StateLike` | `streamgraph.typing.StateLike` |
| `_internal._retry.default_retry_on` | `streamgraph.types.default_retry_on` |

`streamgraph.graph._node` is the only such module elsewhere. Unlike elsewhere, the files have private names in a private
folder, since LangGraph's have.
"""
