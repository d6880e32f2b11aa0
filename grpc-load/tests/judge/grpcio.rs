//! Does it work with a server that this project did not write? Python's grpcio, which is gRPC's C core.
