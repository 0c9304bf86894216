/* Preloaded into a server, gives every accepted connection TCP_NODELAY. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int accept(int listener, struct sockaddr *address, socklen_t *length)
{
    static int (*real)(int, struct sockaddr *, socklen_t *);
    int on = 1;
    if (!real)
        real = dlsym(RTLD_NEXT, "accept");
    int accepted = real(listener, address, length);
    if (accepted >= 0)
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return accepted;
}
