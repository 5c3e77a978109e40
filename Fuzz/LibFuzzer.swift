import Glibc

/// The target that the environment names: libFuzzer knows one entry for a program.
private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        let names = FuzzTarget.all.map { $0.name }.joined(separator: " ")
        fatalError("FUZZ_TARGET is none of \(names)")
    }
    return target
}()

/// What libFuzzer calls with each input. Source: "LibFuzzer", llvm.org/docs.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        try target.check(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(error)")
    }
    return 0
}
