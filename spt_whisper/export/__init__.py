"""What other engines read: a prompt or an adapted model as one ordinary model, without this package's hooks."""
