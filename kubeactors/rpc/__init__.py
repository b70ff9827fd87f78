"""A gRPC server for an asyncio loop, many times cheaper for a small call than grpc.aio.

grpc.aio takes 250 to 400 µs of a core for a unary call, half of it in moving it between threads; etcd takes 75. This
package speaks the same protocol (HTTP/2, RFC 9113; gRPC over HTTP2) straight on the loop's transports: what arrives in
one read is taken in one turn, what is answered in one turn leaves in one write, and the methods that matter are called
without a task. It serves the handlers that grpc's generated code registers, so that services are written as for
grpc.aio.

    frames.py      the bytes of frames
    headers.py     header blocks: decoding those of requests, building those of answers
    stream.py      one call's state on its connection
    connection.py  frames in and out, windows
    flood.py       bounds on what a peer may ask for and not take
    call.py        what a service sees of its call (grpc.aio.ServicerContext)
    server.py      methods, listening, stopping

Left out, since no client of ours uses it: compression of messages (refused as gRPC says), server push, HTTP/1.1.
"""
