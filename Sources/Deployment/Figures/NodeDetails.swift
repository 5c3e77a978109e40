internal import ExternalTermFormat

/// What an instance's node is made of. It does not change while the node runs, but for a hot
/// upgrade.
package struct NodeDetails: Equatable, Sendable {
    package var release: String
    package var runtimeSystem: String
    package var applications: ApplicationList
    /// What its Phoenix endpoints call themselves.
    package var addresses: [String]

    static let addressLimit = 10

    /// Endpoints are modules of started applications that are named so and export `url/0`. What that
    /// function does is the application's: the script's deadline bounds it.
    static let script = RemoteScript(
        """
        fun(Limit) ->
            Started = application:which_applications(),
            Modules = lists:append([
                case application:get_key(Name, modules) of {ok, List} -> List; _ -> [] end
                || {Name, _, _} <- Started]),
            Endpoints = [Module || Module <- Modules,
                lists:suffix(".Endpoint", atom_to_list(Module)),
                erlang:module_loaded(Module), erlang:function_exported(Module, url, 0)],
            Urls = lists:flatmap(
                fun(Module) ->
                    try unicode:characters_to_binary(
                        io_lib:format("~ts", [Module:url()], [{chars_limit, 500}])) of
                        Url when is_binary(Url) -> [Url];
                        _ -> []
                    catch _:_ -> [] end
                end, lists:sublist(Endpoints, Limit)),
            {list_to_binary(erlang:system_info(otp_release)), list_to_binary(erlang:system_info(version)),
             Urls}
        end.
        """)

    package init(of node: any RemoteNode) async throws(NodeError) {
        let applications = try await ApplicationList(of: node)
        let answer = try await Self.script.run(on: node, [.integer(Self.addressLimit)])
        guard let details = NodeDetails(answer, applications) else { throw .unexpectedAnswer }
        self = details
    }

    init?(_ answer: RemoteScript.Answer, _ applications: ApplicationList) {
        guard let parts = answer.value.asTuple(of: 3), let release = parts[0].asText(upTo: 32),
            let runtimeSystem = parts[1].asText(upTo: 32), let addresses = parts[2].asList,
            addresses.count <= Self.addressLimit
        else { return nil }
        self.release = release
        self.runtimeSystem = runtimeSystem
        self.applications = applications
        self.addresses = addresses.compactMap { $0.asText(upTo: 1000) }.filter(Self.isAddress)
    }

    /// Links lead there: `http:` and `https:` alone, and nothing that could end the address.
    static func isAddress(_ text: String) -> Bool {
        (text.hasPrefix("http://") || text.hasPrefix("https://"))
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !#"<>"'\`{}|^"#.utf8.contains($0) }
    }
}
