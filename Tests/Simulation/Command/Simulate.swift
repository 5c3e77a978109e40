@main struct Simulate {
    static func main() {}
}
