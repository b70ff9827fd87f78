"""The functions of expressions, one library in a file."""
