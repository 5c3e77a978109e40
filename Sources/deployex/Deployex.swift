@main
struct Deployex {
    static func main() {}
}
