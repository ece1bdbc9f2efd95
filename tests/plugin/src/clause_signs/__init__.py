"""A decision problem of another distribution: clauses of a sentence, each added or subtracted."""
