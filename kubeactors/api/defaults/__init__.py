"""What the API server fills in when a client leaves it out. Every function changes its argument in place."""
