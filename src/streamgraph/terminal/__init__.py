"""`streamgraph run`: a run that a person watches, and answers, in a terminal."""
