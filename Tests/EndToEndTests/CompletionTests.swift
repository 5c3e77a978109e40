import TestKit
import Testing

/// The completion scripts, loaded by the shells that they are for.
@Suite struct CompletionTests {
    struct Loader: Sendable, CustomTestStringConvertible {
        var shell: String
        /// Without the user's own configuration.
        var arguments: [String]
        /// Loads the script, and prints what is offered for both unfinished lines.
        var script: String

        var testDescription: String { shell }
    }

    static let loaders = [
        Loader(
            shell: "bash", arguments: ["--norc", "--noprofile", "-c"],
            script: """
                source <(deployex completion bash) || exit
                COMP_WORDS=(deployex resta) COMP_CWORD=1
                _deployex
                echo "${COMPREPLY[@]}"
                COMP_WORDS=(deployex status --js) COMP_CWORD=2
                _deployex
                echo "${COMPREPLY[@]}"
                """),
        // Its completion works on a terminal only: the lines are typed, and what was called tells its arguments.
        Loader(
            shell: "zsh", arguments: ["-f", "-c"],
            script: #"""
                zmodload zsh/zpty
                zpty inner zsh -f -i
                zpty -w inner 'autoload -U compinit; compinit -D; source <(deployex completion zsh)'
                zpty -w inner 'deployex() { print "<$*>" }; print rea""dy'
                zpty -r inner seen '*ready*'
                zpty -w inner $'deployex resta\t'
                zpty -r inner seen '*<*>*'
                print -r -- ${${(M)${(f)seen}:#*\<*\>*}//[^a-z-]/}
                zpty -w inner $'deployex status --js\t'
                zpty -r inner seen '*<*>*'
                print -r -- ${${${(M)${(f)seen}:#*\<*\>*}//[^a-z -]/}#status }
                """#),
        Loader(
            shell: "fish", arguments: ["--no-config", "-c"],
            script: """
                deployex completion fish | source; or exit
                complete -C 'deployex resta' | string replace -r '\\t.*' ''
                complete -C 'deployex status --js' | string replace -r '\\t.*' ''
                """),
    ]

    @Test(arguments: loaders)
    func `a command and an option are offered`(loader: Loader) async throws {
        try await DeployexWorld.runWithoutSlot { world in
            let program = BuiltProgram.deployex
            let folder = program[..<(program.lastIndex(of: "/") ?? program.startIndex)]
            let variables = world.variables.merging(["PATH": "\(folder):\(ThisHost.path)"]) { $1 }
            let result = try await world.run(
                try ThisHost.find(loader.shell), loader.arguments + [loader.script],
                environment: variables)
            #expect(result.stdout == "restart\n--json\n", "\(result)")
        }
    }
}
