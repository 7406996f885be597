"""For people who write plugins, and for navcore's own tests: a toy framework that fails on demand."""
