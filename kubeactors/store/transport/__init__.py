"""How members talk to each other: one gRPC stream a pair, another connection for each snapshot that is sent."""
