/*
 * Measures libei, OTP's own C library for distribution, on behalf of deployex-bench.
 *
 *     libei-peer NODE COOKIE
 *
 * One command a line on stdin, one answer a line on stdout; it ends with its stdin:
 *
 *     call node|reverse COUNT     COUNT calls one after another on one connection
 *     connect COUNT               COUNT connections, handshake included, each by a new name
 *     send COUNT                  COUNT messages to bench_sink, one after another
 *     name                        this node's name, once it is connected
 *     receive COUNT               COUNT messages, however they are addressed
 *     decode SAMPLE COUNT         COUNT times a sample of the node's deployex_bench_peer, into a tree
 *
 * The answer is "ok", the whole time, and the time of each call or connection, in nanoseconds (of
 * "name": the name); or "error" and what failed.
 * Calls and messages share one connection. ERL_EPMD_PORT says where EPMD is.
 */
#include <arpa/inet.h>
#include <ei.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MAX = 1000000 };

static const char *peer_node;
static const char *cookie;

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("error ", stdout);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

static void answer(int64_t total, const int64_t *times, long count)
{
    printf("ok %lld", (long long)total);
    for (long i = 0; i < count; i++)
        printf(" %lld", (long long)times[i]);
    putchar('\n');
    fflush(stdout);
}

/* A node with a name that no connection had before. */
static int make_node(ei_cnode *node)
{
    static unsigned number;
    char alive[32], name[64];
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    number++;
    snprintf(alive, sizeof alive, "libei%u", number);
    snprintf(name, sizeof name, "%s@127.0.0.1", alive);
    return ei_connect_xinit(node, "127.0.0.1", alive, name, &loopback, cookie, (short)number);
}

/* The arguments of a call as ei_rpc wants them: a list without a version number. */
static int encode_arguments(const char *which, ei_x_buff *arguments)
{
    if (strcmp(which, "node") == 0)
        return ei_x_encode_empty_list(arguments);
    if (ei_x_encode_list_header(arguments, 1) < 0 || ei_x_encode_list_header(arguments, 3) < 0)
        return -1;
    for (long element = 1; element <= 3; element++)
        if (ei_x_encode_long(arguments, element) < 0)
            return -1;
    return ei_x_encode_empty_list(arguments) < 0 ? -1 : ei_x_encode_empty_list(arguments);
}

/* The node and connection of calls and messages. */
static ei_cnode node;
static int connection = -1;

static int is_connected(void)
{
    if (connection >= 0)
        return 1;
    if (make_node(&node) < 0) {
        fail("making a node: %s", strerror(erl_errno));
        return 0;
    }
    connection = ei_connect(&node, (char *)peer_node);
    if (connection < 0)
        fail("connecting to %s: %s", peer_node, strerror(erl_errno));
    return connection >= 0;
}

static void disconnect(void)
{
    close(connection);
    connection = -1;
}

static void measure_calls(const char *which, long count, int64_t *times)
{
    char *module = strcmp(which, "node") == 0 ? "erlang" : "lists";
    char *function = strcmp(which, "node") == 0 ? "node" : "reverse";
    ei_x_buff arguments;

    if (!is_connected())
        return;
    ei_x_new(&arguments);
    if (encode_arguments(which, &arguments) < 0) {
        fail("encoding arguments");
        return;
    }
    int64_t start = now_ns(), before = start;
    for (long i = 0; i < count; i++) {
        ei_x_buff result;
        ei_x_new(&result);
        int status = ei_rpc(&node, connection, module, function, arguments.buff, arguments.index,
                            &result);
        ei_x_free(&result);
        if (status < 0) {
            fail("calling %s:%s: %s", module, function, strerror(erl_errno));
            disconnect();
            ei_x_free(&arguments);
            return;
        }
        int64_t after = now_ns();
        times[i] = after - before;
        before = after;
    }
    ei_x_free(&arguments);
    answer(before - start, times, count);
}

static void measure_sends(long count)
{
    ei_x_buff message;

    if (!is_connected())
        return;
    ei_x_new(&message);
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) {
        message.index = 0;
        if (ei_x_encode_version(&message) < 0 || ei_x_encode_tuple_header(&message, 2) < 0
            || ei_x_encode_atom(&message, "sample") < 0 || ei_x_encode_long(&message, i) < 0
            || ei_reg_send(&node, connection, "bench_sink", message.buff, message.index) < 0) {
            fail("sending to bench_sink: %s", strerror(erl_errno));
            disconnect();
            ei_x_free(&message);
            return;
        }
    }
    ei_x_free(&message);
    answer(now_ns() - start, NULL, 0);
}

static void measure_receives(long count)
{
    ei_x_buff message;
    erlang_msg header;
    int64_t start = now_ns();

    if (!is_connected())
        return;
    ei_x_new(&message);
    for (long received = 0; received < count;) {
        message.index = 0;
        switch (ei_xreceive_msg(connection, &header, &message)) {
        case ERL_MSG:
            received++;
            break;
        case ERL_TICK:
            break;
        default:
            fail("receiving: %s", strerror(erl_errno));
            disconnect();
            ei_x_free(&message);
            return;
        }
    }
    ei_x_free(&message);
    answer(now_ns() - start, NULL, 0);
}

static void measure_connects(long count, int64_t *times)
{
    int64_t total = 0;
    for (long i = 0; i < count; i++) {
        ei_cnode other;
        if (make_node(&other) < 0) {
            fail("making a node: %s", strerror(erl_errno));
            return;
        }
        int64_t start = now_ns();
        int other_connection = ei_connect(&other, (char *)peer_node);
        times[i] = now_ns() - start;
        if (other_connection < 0) {
            fail("connecting to %s: %s", peer_node, strerror(erl_errno));
            return;
        }
        total += times[i];
        close(other_connection);
    }
    answer(total, times, count);
}

/*
 * A term as a program would hold it: the elements of a container in one block, text and identifiers in blocks
 * of their own size. The kinds are those of the samples.
 */
struct term {
    enum { INTEGER, REAL, ATOM, BINARY, PID, TUPLE, LIST, MAP } kind;
    long count;
    union {
        long integer;
        double real;
        char *bytes;
        struct pid *pid;
        struct term *elements;
    } of;
};

struct pid {
    unsigned num, serial, creation;
    char node[];
};

static void free_term(struct term *term)
{
    switch (term->kind) {
    case INTEGER:
    case REAL:
        break;
    case ATOM:
    case BINARY:
        free(term->of.bytes);
        break;
    case PID:
        free(term->of.pid);
        break;
    case TUPLE:
    case LIST:
    case MAP:
        for (long i = 0; i < term->count; i++)
            free_term(&term->of.elements[i]);
        free(term->of.elements);
        break;
    }
}

static int decode_term(const char *bytes, int *index, struct term *term);

/* The elements of a container, whose count is known. */
static int decode_elements(const char *bytes, int *index, struct term *term, long count)
{
    term->of.elements = malloc(count > 0 ? count * sizeof *term : 1);
    if (term->of.elements == NULL)
        return -1;
    for (term->count = 0; term->count < count; term->count++)
        if (decode_term(bytes, index, &term->of.elements[term->count]) < 0) {
            free_term(term);
            return -1;
        }
    return 0;
}

static int decode_list(const char *bytes, int *index, struct term *term)
{
    int count, end;

    term->kind = LIST;
    if (ei_decode_list_header(bytes, index, &count) < 0
        || decode_elements(bytes, index, term, count) < 0)
        return -1;
    if (count == 0)
        return 0;
    if (ei_decode_list_header(bytes, index, &end) == 0 && end == 0)
        return 0;
    free_term(term);
    return -1;
}

static int decode_atom(const char *bytes, int *index, struct term *term)
{
    char name[MAXATOMLEN_UTF8];

    term->kind = ATOM;
    if (ei_decode_atom_as(bytes, index, name, sizeof name, ERLANG_UTF8, NULL, NULL) < 0)
        return -1;
    term->of.bytes = strdup(name);
    return term->of.bytes == NULL ? -1 : 0;
}

static int decode_pid(const char *bytes, int *index, struct term *term)
{
    erlang_pid pid;

    term->kind = PID;
    if (ei_decode_pid(bytes, index, &pid) < 0)
        return -1;
    size_t size = strlen(pid.node) + 1;
    term->of.pid = malloc(sizeof *term->of.pid + size);
    if (term->of.pid == NULL)
        return -1;
    term->of.pid->num = pid.num;
    term->of.pid->serial = pid.serial;
    term->of.pid->creation = pid.creation;
    memcpy(term->of.pid->node, pid.node, size);
    return 0;
}

/* Bytes of a binary, or of a list of bytes that came as a string. */
static int decode_bytes(const char *bytes, int *index, struct term *term, int type, int size)
{
    term->kind = BINARY;
    term->of.bytes = malloc(size + 1);
    if (term->of.bytes == NULL)
        return -1;
    term->count = size;
    int status = type == ERL_BINARY_EXT
                     ? ei_decode_binary(bytes, index, term->of.bytes, &term->count)
                     : ei_decode_string(bytes, index, term->of.bytes);
    if (status < 0)
        free(term->of.bytes);
    return status;
}

static int decode_term(const char *bytes, int *index, struct term *term)
{
    int type, size;

    if (ei_get_type(bytes, index, &type, &size) < 0)
        return -1;
    switch (type) {
    case ERL_SMALL_INTEGER_EXT:
    case ERL_INTEGER_EXT:
    case ERL_SMALL_BIG_EXT:
        term->kind = INTEGER;
        return ei_decode_long(bytes, index, &term->of.integer);
    case ERL_FLOAT_EXT:
    case NEW_FLOAT_EXT:
        term->kind = REAL;
        return ei_decode_double(bytes, index, &term->of.real);
    case ERL_ATOM_EXT:
    case ERL_SMALL_ATOM_EXT:
    case ERL_ATOM_UTF8_EXT:
    case ERL_SMALL_ATOM_UTF8_EXT:
        return decode_atom(bytes, index, term);
    case ERL_BINARY_EXT:
    case ERL_STRING_EXT:
        return decode_bytes(bytes, index, term, type, size);
    case ERL_PID_EXT:
    case ERL_NEW_PID_EXT:
        return decode_pid(bytes, index, term);
    case ERL_SMALL_TUPLE_EXT:
    case ERL_LARGE_TUPLE_EXT:
        term->kind = TUPLE;
        return ei_decode_tuple_header(bytes, index, &size) < 0
                   ? -1
                   : decode_elements(bytes, index, term, size);
    case ERL_NIL_EXT:
    case ERL_LIST_EXT:
        return decode_list(bytes, index, term);
    case ERL_MAP_EXT:
        term->kind = MAP;
        return ei_decode_map_header(bytes, index, &size) < 0
                   ? -1
                   : decode_elements(bytes, index, term, 2L * size);
    default:
        return -1;
    }
}

/* The external format of a sample, which the node is asked for once; NULL after saying why not. */
static char *sample_bytes(const char *name)
{
    static char cached_name[32];
    static char *cached;
    ei_x_buff arguments, result;
    int index = 0, type, size;
    long count;

    if (cached != NULL && strcmp(name, cached_name) == 0)
        return cached;
    free(cached);
    cached = NULL;
    if (!is_connected())
        return NULL;
    ei_x_new(&arguments);
    ei_x_new(&result);
    if (ei_x_encode_list_header(&arguments, 1) < 0 || ei_x_encode_atom(&arguments, name) < 0
        || ei_x_encode_empty_list(&arguments) < 0)
        fail("encoding arguments");
    else if (ei_rpc(&node, connection, "deployex_bench_peer", "sample", arguments.buff,
                    arguments.index, &result) < 0)
        fail("asking for the sample %s: %s", name, strerror(erl_errno));
    else if (ei_get_type(result.buff, &index, &type, &size) < 0 || type != ERL_BINARY_EXT
             || (cached = malloc(size)) == NULL
             || ei_decode_binary(result.buff, &index, cached, &count) < 0)
        fail("the sample %s is no binary", name);
    else
        snprintf(cached_name, sizeof cached_name, "%s", name);
    ei_x_free(&arguments);
    ei_x_free(&result);
    return cached;
}

static void measure_decoding(const char *name, long count)
{
    const char *bytes = sample_bytes(name);
    if (bytes == NULL)
        return;
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) {
        struct term term;
        int index = 0, version;
        if (ei_decode_version(bytes, &index, &version) < 0
            || decode_term(bytes, &index, &term) < 0) {
            fail("decoding the sample %s", name);
            return;
        }
        free_term(&term);
    }
    answer(now_ns() - start, NULL, 0);
}

int main(int argc, char **argv)
{
    char line[256], which[32];
    long count;
    int64_t *times = malloc(COUNT_MAX * sizeof *times);

    if (argc != 3 || times == NULL) {
        fputs("usage: libei-peer NODE COOKIE\n", stderr);
        return 2;
    }
    peer_node = argv[1];
    cookie = argv[2];
    if (ei_init() != 0) {
        fputs("libei-peer: ei_init failed\n", stderr);
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "call %15s %ld", which, &count) == 2 && count > 0 && count <= COUNT_MAX)
            measure_calls(which, count, times);
        else if (sscanf(line, "connect %ld", &count) == 1 && count > 0 && count <= COUNT_MAX)
            measure_connects(count, times);
        else if (sscanf(line, "send %ld", &count) == 1 && count > 0)
            measure_sends(count);
        else if (sscanf(line, "receive %ld", &count) == 1 && count > 0)
            measure_receives(count);
        else if (sscanf(line, "decode %31s %ld", which, &count) == 2 && count > 0)
            measure_decoding(which, count);
        else if (strcmp(line, "name\n") == 0) {
            if (is_connected()) {
                printf("ok %s\n", ei_thisnodename(&node));
                fflush(stdout);
            }
        } else
            fail("no such command: %s", strtok(line, "\n"));
    }
    free(times);
    return 0;
}
