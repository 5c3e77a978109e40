#!/usr/bin/env bash
# Fails when a file uses a name of a room that its own room has no arrow to.
#
# A room is a folder inside a target; files that lie directly in the target are in the room "."
# The table lists the rooms of a target from the bottom up: a row names the rooms that a room may
# use, and all of them stand above it, so that arrows make no circle. "!ROOM" is an arrow downwards,
# which closes a circle and is to go. Every room has a row, and every arrow in it is used.
#
# A name belongs to the room that declares it at the top level of a file: a type or a function.
# Members that an extension adds have no room, and neither has what is private to a file.
#
#   scripts/check-rooms.sh            checks
#   scripts/check-rooms.sh --print    prints the rows that the code as it is needs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rooms='
ExternalTermFormat/.:
Transport/Base:
Transport/Crypto:
Transport/Loop: Base
Transport/Trust: Base
Transport/TLS/Files: Base Trust
Transport/TLS/Engine: Base TLS/Files
Transport/TLS/Context: Base Trust TLS/Files TLS/Engine
Transport/Streams: Base Loop Trust TLS/Files TLS/Engine TLS/Context
EPMD/.:
ErlDist/Wire:
ErlDist/Reports:
ErlDist/TLS: Reports
ErlDist/Connection: Wire
ErlDist/Calls: Wire Connection
ErlDist/Peers: Wire Connection Calls
ErlDist/Processes: Wire Reports Connection Calls Peers
ErlDist/Serving: Wire Reports Calls Peers Processes
ErlDist/Node: Wire Reports TLS Connection Calls Peers Processes Serving
HTTP/Wire:
HTTP/Client: Wire
HTTP/Server: Wire
Supervisor/Disk:
Supervisor/Processes: Disk
Supervisor/Instances: Disk Processes
Supervisor/Logs: Disk Instances
Supervisor/Sockets: Processes Instances
Deployment/JSON:
Deployment/Remote:
Deployment/ReleaseFiles: JSON
Deployment/RelupWriting: ReleaseFiles
Deployment/HotUpgrade: ReleaseFiles Remote RelupWriting
Deployment/Store: JSON ReleaseFiles
Deployment/Signatures: Store
Deployment/State: ReleaseFiles Store
Deployment/Engine: HotUpgrade Store State
Deployment/Archive: ReleaseFiles Store Signatures State
Deployment/Health: Remote Engine
Deployment/Status: Store State Engine
Deployment/Figures: Remote Status
Deployment/Driver: ReleaseFiles Remote HotUpgrade Store Signatures State Engine Archive Health Status
Deployment/Verification: ReleaseFiles RelupWriting Remote Store Signatures State Archive Status
AWS/Signing:
AWS/Credentials: Signing
AWS/Secrets: Signing Credentials
AWS/S3: Signing Credentials
Notifications/.:
Dashboard/Access:
Dashboard/Routing: Access
Dashboard/Figures: Access
Dashboard/Events: Access Routing
Dashboard/Logs: Access Routing Events
Dashboard/Nodes: Access Routing Events
Dashboard/Terminal: Access Routing Events
Dashboard/Pages: Routing Events
Dashboard/Service: Access Routing Figures Events Logs Nodes Terminal Pages
deployex/Output:
deployex/CommandLine: Output
deployex/Configuration: Output CommandLine
deployex/PortMapper: Output Configuration
deployex/Control:
deployex/Sockets:
deployex/Server: Output CommandLine Configuration PortMapper Control Sockets
deployex/Commands: Output CommandLine Configuration PortMapper Control Server
deployex/.: Output CommandLine Configuration Commands
deployex-bench/.:
deployex-reliability/.:
'

# shellcheck disable=SC2016 # the backticks and the dollars are awk's
find Sources -name '*.swift' -print0 | LC_ALL=C sort -z | ROOMS=$rooms MODE=${1:-check} xargs -0 awk '
BEGIN {
    count = split(ENVIRON["ROOMS"], rows, "\n")
    for (i = 1; i <= count; i++) {
        if (rows[i] == "") continue
        colon = index(rows[i], ":")
        room = substr(rows[i], 1, colon - 1)
        order[++roomCount] = room
        rank[room] = roomCount
        arrows[room] = substr(rows[i], colon + 1)
        target = substr(room, 1, index(room, "/"))
        wordCount = split(arrows[room], words, " ")
        for (j = 1; j <= wordCount; j++) {
            isCircle = sub(/^!/, "", words[j])
            other = target words[j]
            allowed[room, other] = 1
            if (!isCircle && !(other in rank && rank[other] < roomCount))
                complain("scripts/check-rooms.sh", room ": no row above it is for " other)
        }
    }
}

function complain(place, text) {
    if (ENVIRON["MODE"] == "--print") return
    printf "%s: %s\n", place, text
    failed = 1
}

# A line without comments and without the text of strings; what is interpolated into one stays. Goes
# on where the line before has ended: "level" counts the strings and interpolations that are open.
function code(line,    result, position, character, closing) {
    if (level == 0 && commentDepth == 0 && line !~ /["\/]/) return line
    result = ""
    while (line != "") {
        if (commentDepth > 0) {
            if (!match(line, /\*\/|\/\*/)) return result
            commentDepth += substr(line, RSTART, 1) == "/" ? 1 : -1
            line = substr(line, RSTART + 2)
        } else if (level % 2 == 0) {
            position = match(line, level == 0 ? "[\"#/]" : "[\"#/()]")
            if (position == 0) return result line
            result = result substr(line, 1, position - 1)
            line = substr(line, position)
            character = substr(line, 1, 1)
            if (line ~ /^\/\//) return result
            if (line ~ /^\/\*/) {
                commentDepth = 1
                line = substr(line, 3)
            } else if (match(line, /^#*"""/) || match(line, /^#*"/)) {
                closing = substr(line, 1, RLENGTH)
                hashes[level + 1] = closing
                sub(/"+/, "", hashes[level + 1])
                sub(/^#+/, "", closing)
                closings[++level] = closing hashes[level]
                line = substr(line, RLENGTH + 1)
                result = result " "
            } else {
                if (character == "(") parentheses[level]++
                if (character == ")" && level > 0 && parentheses[level]-- == 0) level--
                result = result character
                line = substr(line, 2)
            }
        } else {
            position = match(line, /["\\]/)
            if (position == 0) break
            line = substr(line, position)
            if (index(line, closings[level]) == 1) {
                line = substr(line, length(closings[level]) + 1)
                level--
            } else if (index(line, "\\" hashes[level] "(") == 1) {
                line = substr(line, length(hashes[level]) + 3)
                parentheses[++level] = 0
                result = result " "
            } else {
                line = substr(line, line ~ /^\\/ && hashes[level] == "" ? 3 : 2)
            }
        }
    }
    # A string of one line ends with it.
    while (level % 2 == 1 && closings[level] !~ /^"""/) level -= level > 1 ? 2 : 1
    return result
}

FNR == 1 {
    level = commentDepth = 0
    room = FILENAME
    sub(/^Sources\//, "", room)
    sub(/\/[^\/]*$/, "", room)
    if (room !~ /\//) room = room "/."
    target = substr(room, 1, index(room, "/"))
    files[++fileCount] = FILENAME
    roomOf[FILENAME] = room
    if (!(room in isThere)) found[++foundCount] = room
    isThere[room] = 1
    if (!(room in rank)) complain(FILENAME, "scripts/check-rooms.sh has no row for the room " room)
}

{
    line = code($0)
    if (line !~ /[A-Za-z]/) next
    gsub(/\.\.[.<]/, " ", line)
    gsub(/`/, "", line)
    isTop = line ~ /^[a-z@]/
    if (isTop && line ~ /^(@[A-Za-z_]+(\([^)]*\))? +)*((public|package|internal) +)?import /) next
    rest = line
    # Members are not looked at: the name before the dot says whose they are.
    gsub(/[.@][ \t]*[A-Za-z_][A-Za-z0-9_]*/, " ", rest)
    keyword = ""
    isPrivate = 0
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
        word = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        if (keyword != "") {
            # A nested type or a method of the same name is meant where it is declared.
            if (!isTop || isPrivate) own[FILENAME, word] = 1
            else if (!((target word) in owner)) owner[target word] = room
            keyword = ""
        } else if (word ~ /^(private|fileprivate)$/) {
            isPrivate = 1
        } else if (word ~ /^(struct|class|enum|actor|protocol|typealias|func)$/) {
            keyword = word
        } else if ((word ~ /^[A-Z]/ || rest ~ /^\(/) && !((FILENAME, word) in used)) {
            used[FILENAME, word] = FNR
            uses[FILENAME] = uses[FILENAME] " " word
        }
    }
}

END {
    for (i = 1; i <= fileCount; i++) {
        file = files[i]
        room = roomOf[file]
        target = substr(room, 1, index(room, "/"))
        wordCount = split(uses[file], words, " ")
        for (j = 1; j <= wordCount; j++) {
            word = words[j]
            if (!((target word) in owner) || (file, word) in own) continue
            other = owner[target word]
            if (other == room) continue
            isUsed[room, other] = 1
            if (!((room, other) in allowed) && room in rank)
                complain(file ":" used[file, word], room " must not use " word " of " other \
                    "; it may use:" arrows[room])
        }
    }
    if (ENVIRON["MODE"] == "--print") {
        for (i = 1; i <= foundCount; i++) {
            if (found[i] in rank) continue
            order[++roomCount] = found[i]
            rank[found[i]] = roomCount
        }
        for (i = 1; i <= roomCount; i++) if (order[i] in isThere) {
            row = order[i] ":"
            for (j = 1; j <= roomCount; j++) if ((order[i], order[j]) in isUsed)
                row = row " " (j < i ? "" : "!") substr(order[j], index(order[j], "/") + 1)
            print row
        }
        exit
    }
    for (i = 1; i <= roomCount; i++) {
        if (!(order[i] in isThere))
            complain("scripts/check-rooms.sh", "there is no room " order[i])
        else for (j = 1; j <= roomCount; j++)
            if ((order[i], order[j]) in allowed && !((order[i], order[j]) in isUsed))
                complain("scripts/check-rooms.sh", order[i] " does not use " order[j])
    }
    exit failed
}
'
