#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/inet_diag.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <pthread.h>
#include <string.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int clinux_errno(void) { return errno; }

const char *clinux_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

int clinux_set_name(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int clinux_pipe(int *reading, int *writing) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        int code = errno;
        close(ends[0]);
        close(ends[1]);
        errno = code;
        return -1;
    }
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

int clinux_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int clinux_renounce_new_rights(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int clinux_accept(int listener) {
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int clinux_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int clinux_pidfd_getfd(int pidfd, int number) {
    return (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

int clinux_peer_credentials(int socket, pid_t *pid, uid_t *user) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    *pid = credentials.pid;
    *user = credentials.uid;
    return 0;
}

ssize_t clinux_send_descriptor(int socket, const uint8_t *bytes, size_t count, int passed) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &passed, sizeof(int));
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

ssize_t clinux_receive_descriptor(int socket, uint8_t *bytes, size_t count, int *passed) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    // Room for more than one: what has no room is closed by the kernel, and told of by MSG_CTRUNC.
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    *passed = -1;
    ssize_t got;
    do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -1;
    int is_bad = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        size_t descriptors = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < descriptors; index++) {
            int found;
            memcpy(&found, CMSG_DATA(head) + index * sizeof(int), sizeof(int));
            if (*passed < 0) {
                *passed = found;
            } else {
                close(found);
                is_bad = 1;
            }
        }
    }
    if (!is_bad) return got;
    if (*passed >= 0) close(*passed);
    *passed = -1;
    errno = EMSGSIZE;
    return -1;
}

int clinux_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int clinux_is_delegated_group(const char *folder) {
    struct statfs system;
    if (statfs(folder, &system) != 0 || system.f_type != CGROUP2_SUPER_MAGIC) return 0;
    // The first can be set by a manager without root's rights.
    const char *const marks[] = {"user.delegate", "trusted.delegate"};
    for (size_t index = 0; index < 2; index++) {
        char value[2];
        if (getxattr(folder, marks[index], value, sizeof value) == 1 && value[0] == '1') return 1;
    }
    return 0;
}

int clinux_syncfs(int fd) { return syncfs(fd); }

/// Tells the parent where and why the start failed; it reads that instead of end-of-file.
static void fail(int gate, int stage) {
    int report[2] = {stage, errno};
    (void)!send(gate, report, sizeof report, MSG_NOSIGNAL);
    _exit(127);
}

int clinux_become(uid_t user, gid_t group, const gid_t *groups, size_t group_count, int all_threads) {
    // The C library's calls tell all threads of a process, by locks that the parent's other threads may
    // have held when it forked. In this order: with another user id nobody may change groups any more.
    if (all_threads) {
        if (setgroups(group_count, groups) != 0 || setresgid(group, group, group) != 0 ||
            setresuid(user, user, user) != 0)
            return -1;
    } else if (syscall(SYS_setgroups, group_count, groups) != 0 ||
               syscall(SYS_setresgid, group, group, group) != 0 ||
               syscall(SYS_setresuid, user, user, user) != 0) {
        return -1;
    }
    // It must not work: a saved id or a kept capability would let the program go back.
    if (user != 0 && (syscall(SYS_setresuid, -1, 0, -1) == 0 || syscall(SYS_setuid, 0) == 0)) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

static int set_limit(int resource, const struct clinux_limit *limit) {
    if (!limit->is_set) return 0;
    struct rlimit value;
    if (getrlimit(resource, &value) != 0) return -1;
    if (limit->sets_hard) value.rlim_max = (rlim_t)limit->hard;
    value.rlim_cur = (rlim_t)limit->soft;
    if (!limit->sets_hard && value.rlim_cur > value.rlim_max) value.rlim_cur = value.rlim_max;
    return setrlimit(resource, &value);
}

/// Writes this process's pid, in digits. Nothing of the C library's printing is async-signal-safe.
static void write_pid(char *text) {
    char digits[CLINUX_PID_BYTES];
    int count = 0;
    for (pid_t left = getpid(); left > 0; left /= 10) digits[count++] = (char)('0' + left % 10);
    for (int index = 0; index < count; index++) text[index] = digits[count - 1 - index];
    text[count] = 0;
}

/// The child's side of clinux_spawn_held. Only async-signal-safe calls: the parent has threads.
///
/// Every source in `in`, `out`, `err`, `passed` and the gate itself are above all targets, so that
/// no target overwrites a source that is still needed.
static void become(const struct clinux_program *program, int in, int out, int err,
                   const int *passed, int source) {
    int gate = 3;
    for (size_t index = 0; index < program->passed_count; index++)
        if (program->passed[index].target >= gate) gate = program->passed[index].target + 1;
    if (program->pid_text) write_pid(program->pid_text);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || dup2(source, gate) < 0)
        fail(source, CLINUX_STAGE_SETUP);
    for (int number = 3; number < gate; number++) {
        int wanted = -1;
        for (size_t index = 0; index < program->passed_count; index++)
            if (program->passed[index].target == number) wanted = passed[index];
        if (wanted < 0)
            close(number);
        else if (dup2(wanted, number) < 0)
            fail(gate, CLINUX_STAGE_SETUP);
    }
    // Closes, among others, the gates of children that are held at the same time: theirs must end
    // with our parent, not with us.
    closefrom(gate + 1);
    if (fcntl(gate, F_SETFD, FD_CLOEXEC) != 0) fail(gate, CLINUX_STAGE_SETUP);
    if (setsid() < 0) fail(gate, CLINUX_STAGE_SETUP);
    if (program->takes_terminal && ioctl(0, TIOCSCTTY, 0) != 0) fail(gate, CLINUX_STAGE_SETUP);
    // The kernel's own call, with its structure all zero: no handler, no flags, an empty mask.
    // The C library's refuses two signals, which posix_spawn(3) leaves ignored in a child.
    // SIGKILL and SIGSTOP cannot be changed and need not be.
    unsigned long action[8] = {0};
    for (int number = 1; number <= 64; number++)
        syscall(SYS_rt_sigaction, number, action, NULL, 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    char go;
    ssize_t count;
    do count = read(gate, &go, 1);
    while (count < 0 && errno == EINTR);
    // The parent is gone or has changed its mind.
    if (count != 1) _exit(127);
    // Limits first: only root may raise a hard one.
    if (set_limit(RLIMIT_CORE, &program->core_limit) != 0 ||
        set_limit(RLIMIT_NOFILE, &program->descriptor_limit) != 0)
        fail(gate, CLINUX_STAGE_LIMITS);
    if (program->sets_umask) umask(program->umask);
    // Until the exec this is a copy of deployex's memory: the change of user, as deployex's own
    // setting, keeps that user from tracing it (PR_SET_DUMPABLE(2const)).
    if (program->changes_user && clinux_become(program->user, program->group, program->groups,
                                               program->group_count, 0) != 0)
        fail(gate, CLINUX_STAGE_USER);
    // As the user that it runs as: what this one may not enter is not its folder.
    if (chdir(program->directory) != 0) fail(gate, CLINUX_STAGE_DIRECTORY);
    execve(program->path, program->argv, program->envp);
    fail(gate, CLINUX_STAGE_PROGRAM);
}

int clinux_open_terminal(int *ours, int *theirs) {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (master < 0) return -1;
    int slave = -1;
    // By the descriptor, not by a name: the name could be another mount's.
    if (grantpt(master) != 0 || unlockpt(master) != 0 ||
        (slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
        int code = errno;
        close(master);
        errno = code;
        return -1;
    }
    struct termios settings;
    if (tcgetattr(slave, &settings) == 0) {
        // So that the kernel's own line editing takes back whole characters.
        settings.c_iflag |= IUTF8;
        (void)tcsetattr(slave, TCSANOW, &settings);
    }
    *ours = master;
    *theirs = slave;
    return 0;
}

int clinux_set_terminal_size(int terminal, uint16_t columns, uint16_t rows) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(terminal, TIOCSWINSZ, &size);
}

int clinux_spawn_held(pid_t *pid, int *gate, const struct clinux_program *program) {
    int ends[2] = {-1, -1};
    // The child's in, out, err and gate.
    int child[4] = {-1, -1, -1, -1};
    int passed[CLINUX_MAXIMUM_PASSED];
    size_t passed_count = 0;
    int code = 0;
    // Above every number that a source may have to get.
    int above = 10;
    if (program->passed_count > CLINUX_MAXIMUM_PASSED) return EINVAL;
    for (size_t index = 0; index < program->passed_count; index++) {
        int target = program->passed[index].target;
        if (target < 3 || target >= CLINUX_MAXIMUM_TARGET) return EINVAL;
        if (target + 2 > above) above = target + 2;
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        code = errno;
    } else {
        int in = program->in < 0 ? null : program->in;
        int sources[4] = {in, program->out, program->err, ends[1]};
        for (int index = 0; index < 4 && code == 0; index++) {
            child[index] = fcntl(sources[index], F_DUPFD_CLOEXEC, above);
            if (child[index] < 0) code = errno;
        }
        for (; passed_count < program->passed_count && code == 0; passed_count++) {
            int source = program->passed[passed_count].source;
            passed[passed_count] = fcntl(source, F_DUPFD_CLOEXEC, above);
            if (passed[passed_count] < 0) code = errno;
        }
    }
    if (code == 0) {
        sigset_t all, before;
        sigfillset(&all);
        // No handler of ours may run in the child.
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t forked = fork();
        if (forked == 0) become(program, child[0], child[1], child[2], passed, child[3]);
        if (forked < 0) code = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        *pid = forked;
    }
    if (null >= 0) close(null);
    if (ends[1] >= 0) close(ends[1]);
    for (int index = 0; index < 4; index++)
        if (child[index] >= 0) close(child[index]);
    for (size_t index = 0; index < passed_count; index++)
        if (passed[index] >= 0) close(passed[index]);
    if (code != 0) {
        if (ends[0] >= 0) close(ends[0]);
        return code;
    }
    *gate = ends[0];
    return 0;
}

int clinux_release_held(int gate, int *stage) {
    char go = 1;
    *stage = CLINUX_STAGE_SETUP;
    // A child that is gone already is told by its exit status.
    if (send(gate, &go, 1, MSG_NOSIGNAL) != 1) return errno == EPIPE ? 0 : errno;
    int report[2];
    ssize_t count;
    do count = recv(gate, report, sizeof report, MSG_WAITALL);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno == ECONNRESET ? 0 : errno;
    if (count != sizeof report) return 0;
    *stage = report[0];
    return report[1];
}

int clinux_exit_status(int pidfd, int reap, int *status, int *signalled) {
    siginfo_t info = {0};
    int options = WEXITED | WNOHANG | (reap ? 0 : WNOWAIT);
    if (waitid(P_PIDFD, (id_t)pidfd, &info, options) != 0) return -1;
    if (info.si_pid == 0) return 0;
    *signalled = info.si_code != CLD_EXITED;
    *status = info.si_status;
    return 1;
}

int clinux_punch_hole(int fd, int64_t offset, int64_t length) {
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int clinux_collapse_head(int fd, int64_t length) {
    return fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, length);
}

int64_t clinux_seek_data(int fd, int64_t offset) { return lseek(fd, offset, SEEK_DATA); }

struct tcp_question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

// A question to the kernel about TCP sockets; the descriptor that the answer comes from, or -1.
static int ask_of_tcp(struct tcp_question *question, int family, uint16_t flags) {
    question->head.nlmsg_len = sizeof *question;
    question->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question->head.nlmsg_flags = NLM_F_REQUEST | flags;
    question->body.sdiag_family = (uint8_t)family;
    question->body.sdiag_protocol = IPPROTO_TCP;
    question->body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    question->body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) return -1;
    if (send(fd, question, sizeof *question, 0) >= 0) return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

// What an answer that is no socket means, as an errno value.
static int failure_of(const struct nlmsghdr *head) {
    if (head->nlmsg_type != NLMSG_ERROR ||
        head->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return EPROTO;
    int code = -((const struct nlmsgerr *)NLMSG_DATA(head))->error;
    return code > 0 ? code : EPROTO;
}

static int is_socket(const struct nlmsghdr *head) {
    return head->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
           head->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg));
}

static int is_wanted(const uint8_t *address, size_t length, const uint8_t (*wanted)[16],
                     size_t wanted_count) {
    for (size_t index = 0; index < wanted_count; index++)
        if (memcmp(address, wanted[index], length) == 0) return 1;
    return 0;
}

// One dump: how many sockets in these states have the port as their own, at any address if none is wanted;
// or -1 with errno set, EAGAIN when the table has changed meanwhile.
static int dump_sockets(int family, uint32_t states, uint16_t port, const uint8_t (*wanted)[16],
                        size_t wanted_count, struct clinux_socket *found, int limit) {
    struct tcp_question question;
    memset(&question, 0, sizeof question);
    question.body.idiag_states = states;
    question.body.id.idiag_sport = htons(port);
    int fd = ask_of_tcp(&question, family, NLM_F_DUMP);
    if (fd < 0) return -1;
    union {
        struct nlmsghdr head;
        uint8_t bytes[32 << 10];
    } answer;
    int count = 0;
    int is_interrupted = 0;
    int code = -1;
    while (code < 0) {
        ssize_t length = recv(fd, &answer, sizeof answer, MSG_TRUNC);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0 || (size_t)length > sizeof answer) {
            code = length < 0 ? errno : length == 0 ? EPROTO : EMSGSIZE;
            break;
        }
        struct nlmsghdr *head = &answer.head;
        // With a sign: the last message may be padded beyond the end (NLMSG_NEXT).
        int left = (int)length;
        for (; code < 0 && NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
            if (head->nlmsg_flags & NLM_F_DUMP_INTR) is_interrupted = 1;
            if (head->nlmsg_type == NLMSG_DONE) {
                code = is_interrupted ? EAGAIN : 0;
            } else if (!is_socket(head)) {
                code = failure_of(head);
            } else {
                const struct inet_diag_msg *socket = NLMSG_DATA(head);
                if (!(states >> socket->idiag_state & 1) || ntohs(socket->id.idiag_sport) != port)
                    continue;
                if (wanted_count > 0 &&
                    !is_wanted((const uint8_t *)socket->id.idiag_src, family == AF_INET ? 4 : 16,
                               wanted, wanted_count))
                    continue;
                if (count < limit) {
                    memcpy(found[count].address, socket->id.idiag_src, 16);
                    found[count].user = socket->idiag_uid;
                    found[count].inode = socket->idiag_inode;
                }
                if (count <= limit) count++;
            }
        }
    }
    close(fd);
    errno = code;
    return code == 0 ? count : -1;
}

static int look_up_sockets(int family, uint32_t states, uint16_t port, const uint8_t (*wanted)[16],
                           size_t wanted_count, struct clinux_socket *found, int limit) {
    int count = -1;
    for (int attempt = 0; attempt < 4; attempt++) {
        count = dump_sockets(family, states, port, wanted, wanted_count, found, limit);
        if (count >= 0 || errno != EAGAIN) break;
    }
    return count;
}

int clinux_listeners(int family, uint16_t port, const uint8_t (*wanted)[16], size_t wanted_count,
                     struct clinux_socket *found, int limit) {
    return look_up_sockets(family, 1u << TCP_LISTEN, port, wanted, wanted_count, found, limit);
}

int clinux_connections(int family, uint16_t port, struct clinux_socket *found, int limit) {
    uint32_t states = 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT;
    return look_up_sockets(family, states, port, NULL, 0, found, limit);
}

int clinux_tcp_holder(int family, const uint8_t *local, uint16_t local_port, const uint8_t *remote,
                      uint16_t remote_port, struct clinux_socket *holder) {
    struct tcp_question question;
    memset(&question, 0, sizeof question);
    question.body.idiag_states = ~0u;
    size_t count = family == AF_INET ? 4 : 16;
    memcpy(question.body.id.idiag_src, local, count);
    memcpy(question.body.id.idiag_dst, remote, count);
    question.body.id.idiag_sport = htons(local_port);
    question.body.id.idiag_dport = htons(remote_port);
    int fd = ask_of_tcp(&question, family, 0);
    if (fd < 0) return -1;
    union {
        struct nlmsghdr head;
        uint8_t bytes[4096];
    } answer;
    // The kernel answers within the call: recv(2) finds the answer there.
    ssize_t length = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);
    int code = errno;
    close(fd);
    errno = code;
    if (length < 0) return -1;
    errno = EPROTO;
    if (!NLMSG_OK(&answer.head, (size_t)length)) return -1;
    if (!is_socket(&answer.head)) {
        errno = failure_of(&answer.head);
        return -1;
    }
    const struct inet_diag_msg *found = NLMSG_DATA(&answer.head);
    errno = ENOENT;
    // Without a connection the kernel tells of a listener; without an inode nobody holds the socket.
    if (found->idiag_state != TCP_ESTABLISHED || found->idiag_inode == 0) return -1;
    memcpy(holder->address, found->id.idiag_src, 16);
    holder->user = found->idiag_uid;
    holder->inode = found->idiag_inode;
    return 0;
}

/// What the kernel gave this process, from before main: the memory that /proc/PID/cmdline shows.
static int argument_count;
static char **arguments;

__attribute__((constructor)) static void keep_arguments(int count, char **values) {
    argument_count = count;
    arguments = values;
}

const char *clinux_argument(int index) {
    return index < 0 || index >= argument_count ? NULL : arguments[index];
}

void clinux_overwrite_argument(int index, size_t from) {
    if (index < 0 || index >= argument_count) return;
    char *text = arguments[index];
    size_t length = strlen(text);
    // A compiler may not drop it, though nothing here reads it again.
    for (size_t place = from; place < length; place++) ((volatile char *)text)[place] = '*';
}

int clinux_refuse_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int clinux_act_as(uid_t user, gid_t group, const gid_t *groups, size_t group_count) {
    if (syscall(SYS_setgroups, group_count, groups) != 0) return -1;
    setfsgid(group);
    setfsuid(user);
    // They say what was the case before, never whether it worked (setfsuid(2)).
    if ((gid_t)setfsgid((gid_t)-1) == group && (uid_t)setfsuid((uid_t)-1) == user) return 0;
    errno = EPERM;
    return -1;
}

int clinux_change_owner(int folder, const char *name, uid_t user, gid_t group) {
    return fchownat(folder, name, user, group, AT_SYMLINK_NOFOLLOW);
}
