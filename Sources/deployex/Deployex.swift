internal import Glibc

@main
struct Deployex {
    static func main() {
        do throws(UsageError) {
            let invocation = try Invocation(arguments: Array(CommandLine.arguments.dropFirst()))
            print(invocation)
        } catch {
            print(error)
        }
    }
}
