/* Preloaded into user-mode Linux 6.1.
 *
 * That kernel restores the extended processor state of its processes from a buffer with room for the components up to
 * protection keys. A host whose processor has larger ones (AMX tiles) accepts only a complete image (EFAULT otherwise).
 * So ptrace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, …) is intercepted: the image is passed on in the host's size, with the
 * components that the guest does not know marked as unused.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PEEK_FIRST = 1, PEEK_LAST = 3, GET_REGSET = 0x4204, SET_REGSET = 0x4205, XSTATE = 0x202 };
enum { XSTATE_HEADER = 512 }; /* its first word says which components are in use */
static const uint64_t GUEST_COMPONENTS = 0x2ff; /* x87 … AVX-512, protection keys */

static long call(long request, long pid, void *address, void *data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

static long set_xstate(long pid, struct iovec *given)
{
    static unsigned char image[1 << 16] __attribute__((aligned(64)));
    static size_t host_size;
    struct iovec whole = { image, sizeof image };

    if (host_size == 0) {
        if (call(GET_REGSET, pid, (void *)XSTATE, &whole) < 0)
            return -1;
        host_size = whole.iov_len;
    }
    if (given->iov_len >= host_size)
        return call(SET_REGSET, pid, (void *)XSTATE, given);

    memcpy(image, given->iov_base, given->iov_len);
    memset(image + given->iov_len, 0, host_size - given->iov_len);
    uint64_t used;
    memcpy(&used, image + XSTATE_HEADER, sizeof used);
    used &= GUEST_COMPONENTS;
    memcpy(image + XSTATE_HEADER, &used, sizeof used);
    whole.iov_len = host_size;
    return call(SET_REGSET, pid, (void *)XSTATE, &whole);
}

long ptrace(int request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    long pid = va_arg(arguments, int);
    void *address = va_arg(arguments, void *);
    void *data = va_arg(arguments, void *);
    va_end(arguments);

    if (request == SET_REGSET && (uintptr_t)address == XSTATE)
        return set_xstate(pid, data);
    if (request >= PEEK_FIRST && request <= PEEK_LAST) {
        long word; /* the system call stores what the C library's function returns */
        return call(request, pid, address, &word) < 0 ? -1 : word;
    }
    return call(request, pid, address, data);
}
