"""Examples of the vendor's pages on built-in functions: statements and the results that the pages show."""
