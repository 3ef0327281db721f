"""Reports of a pipeline for people and forges: comments, step summaries, drift issues, counts, code quality; from documents alone."""
