"""Who is asking: authenticators and the chain that tries them."""
