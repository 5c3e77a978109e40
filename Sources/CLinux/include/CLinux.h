// What Swift cannot call itself: macros, variadic calls and system calls without a portable import.
#ifndef CLINUX_H
#define CLINUX_H

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

/// The calling thread's errno.
int clinux_errno(void);

/// The C library's text for an errno value; it lives as long as the process.
/// Source: strerrordesc_np(3). Unlike strerror(3) it is safe in threads.
const char *clinux_error_text(int code);

/// Accepts a connection as a non-blocking, close-on-exec descriptor. -1 with errno set on failure.
int clinux_accept(int listener);

/// Opens a descriptor that becomes readable when the process `pid` exits; close-on-exec.
/// Returns -1 with errno set. Source: pidfd_open(2).
int clinux_pidfd_open(pid_t pid);

/// Sends `signal` through a pidfd, so that a reused pid is never hit. Source: pidfd_send_signal(2).
int clinux_pidfd_send_signal(int pidfd, int signal);

/// Exchanges two paths in one step. Source: renameat2(2) with RENAME_EXCHANGE.
int clinux_rename_exchange(const char *first, const char *second);

/// Starts a program as the leader of a session of its own, with default signals, an empty mask,
/// stdin from /dev/null, `out` and `err` as stdout and stderr, and no other descriptor.
/// `directory` is the working directory. Returns 0 and sets `pid`, or an errno value.
int clinux_spawn_session(pid_t *pid, const char *path, char *const argv[], char *const envp[],
                         const char *directory, int out, int err);

/// Reaps the child behind `pidfd` without blocking. Returns 1 when reaped, 0 when still running,
/// -1 with errno set. `signalled` tells whether `status` is a signal number or an exit status.
int clinux_reap(int pidfd, int *status, int *signalled);

#endif
