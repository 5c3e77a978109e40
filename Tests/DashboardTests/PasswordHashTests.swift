import Testing
import Transport

@testable import Dashboard

private actor Busy {
    private var count = 0
    private(set) var most = 0
    private(set) var done = 0
    private(set) var turnedAway = 0
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func begin() {
        count += 1
        most = max(most, count)
    }

    func end() {
        count -= 1
        done += 1
    }

    func turnAway() {
        turnedAway += 1
        wake()
    }

    func open() {
        isOpen = true
        wake()
    }

    func opened() async {
        await wait(until: { $0.isOpen })
    }

    func haveTurnedAway(_ count: Int) async {
        await wait(until: { $0.turnedAway >= count })
    }

    private func wait(until isSo: (isolated Busy) -> Bool) async {
        while !isSo(self) {
            await withCheckedContinuation {
                if isSo(self) { $0.resume() } else { waiters.append($0) }
            }
        }
    }

    private func wake() {
        for waiter in waiters { waiter.resume() }
        waiters = []
    }
}

@Suite(.timeLimit(.minutes(2))) struct PasswordHashTests {
    /// Made by Python's `hashlib.scrypt(b"correct horse", salt=bytes(range(16)), n=2**14, r=8, p=5,
    /// maxmem=2**26, dklen=32)`.
    private static let other =
        "scrypt:14:8:5:000102030405060708090a0b0c0d0e0f:"
        + "d46e517c2ce3291702fcb804dd12495211a0be8bd46863e1458da6e794dfa62e"

    @Test func `a password is known by its hash, and another one is not`() async throws {
        let hash = await offload { PasswordHash(of: "correct horse") }
        let read = try #require(PasswordHash(hash.text))
        #expect(read == hash)
        #expect(await PasswordWork.matches("correct horse", [read]) == [true])
        for other in ["", "correct hors", "correct horse ", "Correct horse"] {
            #expect(await PasswordWork.matches(other, [read]) == [false], "\(other)")
        }
    }

    @Test func `the same password has another hash each time`() async {
        let (one, two) = await offload {
            (PasswordHash(of: "password").text, PasswordHash(of: "password").text)
        }
        #expect(one != two)
    }

    @Test func `another program's hash is understood`() async throws {
        let hash = try #require(PasswordHash(Self.other))
        #expect(await PasswordWork.matches("correct horse", [hash]) == [true])
    }

    @Test(arguments: [
        ("", "nothing"), ("correct horse", "a password"), ("scrypt:14:8:5:SALT", "no hash"),
        ("bcrypt:14:8:5:SALT:HASH", "another method"), ("scrypt:30:8:5:SALT:HASH", "memory"),
        ("scrypt:20:32:16:SALT:HASH", "memory and time"), ("scrypt:16:8:16:SALT:HASH", "time"),
        ("scrypt:99:99:99:SALT:HASH", "numbers"), ("scrypt:10:1:1:SALT:HASH", "too cheap"),
        ("scrypt:14:0:5:SALT:HASH", "no block"), ("scrypt:-1:8:5:SALT:HASH", "a sign"),
        ("scrypt:14:8:5::HASH", "no salt"), ("scrypt:14:8:5:SALT:", "an empty hash"),
        ("scrypt:14:8:5:SALT:0g", "no hexadecimal"), ("scrypt:14:8:5:SALT:HASH0", "odd"),
        ("scrypt:14:8:5:SALT:HASH:", "more"), ("scrypt:१४:8:5:SALT:HASH", "other digits"),
        ("scrypt:14:8:5:SALT:HASHHASHHASHHASHHASH", "too long"),
    ])
    func `what is no hash, or would be an attack to verify, is refused`(
        _ form: String, _ why: String
    ) {
        let text = form.replacing("SALT", with: String(repeating: "ab", count: 16))
            .replacing("HASH", with: String(repeating: "cd", count: 32))
        #expect(PasswordHash(text) == nil, "\(why)")
    }

    @Test func `a password that is too long to verify is none`() async throws {
        let hash = try #require(PasswordHash(Self.other))
        let long = String(repeating: "p", count: 2_000)
        #expect(await PasswordWork.matches(long, [hash, hash]) == [false, false])
    }

    @Test func `passwords are verified one after the other, and few wait`() async throws {
        let work = PasswordWork(loop: try .onOwnThread())
        let busy = Busy()
        await withTaskGroup { group in
            for _ in 0..<13 {
                group.addTask {
                    let result = await work.inTurn {
                        await busy.begin()
                        await busy.opened()
                        await busy.end()
                        return true
                    }
                    if result == nil { await busy.turnAway() }
                }
            }
            // One is busy and eight wait: the others are turned away at once.
            await busy.haveTurnedAway(4)
            await busy.open()
        }
        #expect(await busy.most == 1)
        #expect(await busy.done == 9)
        #expect(await busy.turnedAway == 4)
    }
}
