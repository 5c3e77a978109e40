/// The order in which modules are loaded: what a module calls comes before it.
enum ModuleOrder {
    /// Sorts `names` so that each comes after those that it uses. Those that use each other in a
    /// circle stay together, in the order of their names.
    ///
    /// Source: Tarjan's strongly connected components, without recursion: a chain of calls may be
    /// as long as a release has modules.
    static func sorted(_ names: Set<String>, uses: (String) -> Set<String>) -> [String] {
        let names = names.sorted()
        let numbers = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        let edges = names.map { name in uses(name).compactMap { numbers[$0] }.sorted() }
        var index = [Int?](repeating: nil, count: names.count)
        var lowest = [Int](repeating: 0, count: names.count)
        var isOpen = [Bool](repeating: false, count: names.count)
        var (open, next): ([Int], Int) = ([], 0)
        var order: [String] = []
        for root in names.indices where index[root] == nil {
            var way: [(node: Int, edge: Int)] = []
            func enter(_ node: Int) {
                index[node] = next
                lowest[node] = next
                next += 1
                open.append(node)
                isOpen[node] = true
                way.append((node, 0))
            }
            enter(root)
            while let (node, edge) = way.last {
                if edge < edges[node].count {
                    way[way.count - 1].edge += 1
                    let target = edges[node][edge]
                    if let seen = index[target] {
                        if isOpen[target] { lowest[node] = min(lowest[node], seen) }
                    } else {
                        enter(target)
                    }
                    continue
                }
                way.removeLast()
                if let parent = way.last?.node {
                    lowest[parent] = min(lowest[parent], lowest[node])
                }
                guard lowest[node] == index[node] else { continue }
                var group: [Int] = []
                while let member = open.popLast() {
                    isOpen[member] = false
                    group.append(member)
                    if member == node { break }
                }
                order += group.sorted().map { names[$0] }
            }
        }
        return order
    }
}
