import EPMD
import ErlDist
import TestKit
import Testing
import Transport

/// A node in C, of OTP's own library for that: it gives no names, takes no spawn requests, and knows
/// neither fragments nor the atom cache.
struct LibeiNode {
    let process: ChildProcess
    private let folder: TemporaryFolder

    /// Compiles and starts a node that listens and is registered, with the cookie `secret`. It
    /// answers pings, and each call by `rex` with the call's arguments.
    init(_ name: NodeName, _ fixture: DistFixture) async throws {
        let folder = TemporaryFolder("libei")
        folder.write(Self.source, "node.c")
        let process = try await offload {
            let library = try Self.library()
            try ChildProcess.run(
                "cc",
                [
                    "-std=c11", "-D_DEFAULT_SOURCE", "-pthread", "-I\(library)/include",
                    "-L\(library)/lib", folder("node.c"), "-lei", "-o", folder("node"),
                ])
            let process = try ChildProcess.interop(
                [folder("node"), name.alive, name.host, "secret"], epmdPort: fixture.epmdPort,
                ofOTP: false)
            #expect(try process.line(after: "=> ") == "ready")
            return process
        }
        self.process = process
        self.folder = folder
    }

    /// Where this host's Erlang has libei.
    private static func library() throws -> String {
        try ChildProcess.run(
            "erl", ["-noshell", "-eval", "io:put_chars(code:lib_dir(erl_interface)), halt()."])
    }

    /// Whether this host has libei and a C compiler.
    static let isThere: Bool = {
        guard let library = try? library() else { return false }
        return Files.exists("\(library)/include/ei.h")
            && (try? ChildProcess.run("sh", ["-c", "command -v cc"])) != nil
    }()

    private static let source = #"""
        #include <arpa/inet.h>
        #include <ei.h>
        #include <stdio.h>
        #include <string.h>

        static void serve(int peer)
        {
            ei_x_buff in, out;
            erlang_msg message;
            ei_x_new(&in);
            for (;;) {
                in.index = 0;
                int got = ei_xreceive_msg(peer, &message, &in);
                if (got == ERL_TICK)
                    continue;
                if (got != ERL_MSG)
                    break;
                /* {'$gen_call', {Pid, Tag}, Request} */
                int at = 0, version, arity;
                char atom[MAXATOMLEN_UTF8];
                erlang_pid caller;
                if (message.msgtype != ERL_REG_SEND || ei_decode_version(in.buff, &at, &version) ||
                    ei_decode_tuple_header(in.buff, &at, &arity) || arity != 3 ||
                    ei_decode_atom(in.buff, &at, atom) || strcmp(atom, "$gen_call") ||
                    ei_decode_tuple_header(in.buff, &at, &arity) || arity != 2 ||
                    ei_decode_pid(in.buff, &at, &caller))
                    continue;
                int tag = at;
                ei_skip_term(in.buff, &at);
                int tag_end = at;
                ei_x_new_with_version(&out);
                ei_x_encode_tuple_header(&out, 2);
                ei_x_append_buf(&out, in.buff + tag, tag_end - tag);
                ei_decode_tuple_header(in.buff, &at, &arity);
                ei_decode_atom(in.buff, &at, atom);
                if (strcmp(atom, "call") == 0) {
                    ei_skip_term(in.buff, &at);
                    ei_skip_term(in.buff, &at);
                    int start = at;
                    ei_skip_term(in.buff, &at);
                    ei_x_append_buf(&out, in.buff + start, at - start);
                } else {
                    ei_x_encode_atom(&out, "yes");
                }
                ei_send(peer, &caller, out.buff, out.index);
                ei_x_free(&out);
            }
            ei_x_free(&in);
            ei_close_connection(peer);
        }

        int main(int count, char **words)
        {
            ei_cnode node;
            ErlConnect peer;
            char name[256];
            int port = 0, connection;
            struct in_addr address = {.s_addr = htonl(INADDR_LOOPBACK)};
            if (count != 4)
                return 2;
            snprintf(name, sizeof name, "%s@%s", words[1], words[2]);
            ei_init();
            if (ei_connect_xinit(&node, words[2], words[1], name, &address, words[3], 1) < 0)
                return 1;
            int listener = ei_listen(&node, &port, 5);
            if (listener < 0 || ei_publish(&node, port) < 0)
                return 1;
            puts("=> ready");
            fflush(stdout);
            for (;;) {
                connection = ei_accept(&node, listener, &peer);
                if (connection < 0)
                    continue;
                printf("=> %s\n", peer.nodename);
                fflush(stdout);
                serve(connection);
            }
        }
        """#
}
