#!/usr/bin/env bash
# Builds the fuzz targets and runs each for a while. Exit status 1 when something was found: its bytes are
# in Fuzz/Crashes/TARGET/, where the unit tests replay them from then on.
#
#   FUZZ_SECONDS=60            how long each target runs
#   FUZZ_TARGETS="term text"   only these
#   FUZZ_CORPUS=FOLDER         keep what the runs learn there instead of in .build-fuzz/corpus
#
# libFuzzer brings its own main and needs the whole library instrumented, which SwiftPM cannot build.
# Source: "LibFuzzer", llvm.org/docs.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${FUZZ_SECONDS:-60}
build=.build-fuzz
corpus=${FUZZ_CORPUS:-$build/corpus}
all='term text handshake message epmd tls-options archive json signature credentials output file-name terminal control http crash-dump pattern'
read -ra targets <<<"${FUZZ_TARGETS:-$all}"
for target in "${targets[@]}"; do
    [[ " $all " == *" $target "* ]] || {
        printf 'fuzz: there is no target %s; there are: %s\n' "$target" "$all" >&2
        exit 2
    }
done

# As in Package.swift, but optimised: bounds, overflow and preconditions are checked all the same.
flags=(
    -swift-version 6 -O -g -whole-module-optimization -enable-testing -package-name deployex
    -sanitize=fuzzer,address -parse-as-library -I "$build"
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility
    -Xcc -fmodule-map-file=Sources/CZlib/module.modulemap
    -Xcc -fmodule-map-file=Sources/COpenSSL/module.modulemap
    -Xcc -fmodule-map-file="$build/CLinux.modulemap"
)

# Compiles a library, or what is named of it, if one of its sources, or a library before it, is newer than it.
compile_library() {
    local name=$1 object=$build/$1.o
    local -a sources=("${@:2}")
    ((${#sources[@]})) || sources=("Sources/$name")
    if [[ ! -e $object || -n $(find "${sources[@]}" "$last" -newer "$object" -print -quit) ]]; then
        printf 'fuzz: compiling %s\n' "$name"
        find "${sources[@]}" -name '*.swift' -print0 | LC_ALL=C sort -z | xargs -0 swiftc "${flags[@]}" \
            -enable-upcoming-feature NonisolatedNonsendingByDefault -module-name "$name" \
            -emit-module -emit-module-path "$build/$name.swiftmodule" -c -o "$object"
        # The compiler leaves an object alone that would be the same.
        touch "$object"
    fi
    objects+=("$object")
    last=$object
}

mkdir -p "$build"
printf 'module CLinux { header "%s" export * }\n' "$PWD/Sources/CLinux/include/CLinux.h" \
    >"$build/CLinux.modulemap"
objects=()
for source in Sources/CLinux/*.c; do
    object=$build/$(basename "$source" .c).o
    clang -g -O1 -fsanitize=fuzzer-no-link,address -I Sources/CLinux/include -c "$source" -o "$object"
    objects+=("$object")
done
last=scripts/fuzz.sh
for library in ExternalTermFormat Transport EPMD ErlDist HTTP Supervisor Deployment AWS; do
    compile_library "$library"
done
# Of the dashboard what reads and matches the patterns of searches.
compile_library Dashboard Sources/Dashboard/Logs/{LinePattern,ScalarSet,LineProgram,LineMatcher}.swift
# Of the program itself what reads the arguments of its module.
compile_library deployex Sources/deployex/Control/{CommandGoal,ControlCall,InstanceDirectory}.swift
if [[ ! -e $build/fuzz || -n $(find Fuzz "$last" -name '*.swift' -newer "$build/fuzz" -print -quit) ||
    $last -nt $build/fuzz ]]; then
    printf 'fuzz: compiling the targets\n'
    swiftc "${flags[@]}" -use-ld=lld -module-name Fuzz \
        -emit-module -emit-module-path "$build/Fuzz.swiftmodule" -emit-executable -o "$build/fuzz" \
        Fuzz/*.swift Fuzz/Targets/*.swift "${objects[@]}"
fi

# Without it a crash waits for the runtime's own backtrace.
export SWIFT_BACKTRACE=enable=no
# What was freed is kept for a while to see its use; the limit below should be the code's, not this.
export ASAN_OPTIONS="quarantine_size_mb=64 ${ASAN_OPTIONS-}"
results=()
failures=0
for target in "${targets[@]}"; do
    case $target in
        term | message | archive) longest=4096 ;;
        epmd) longest=4200 ;;
        handshake) longest=512 ;;
        *) longest=1024 ;;
    esac
    folder=$corpus/$target
    crashes=Fuzz/Crashes/$target
    log=$build/$target.log
    mkdir -p "$folder" "$crashes"
    dictionary=()
    [[ ! -e Fuzz/Dictionaries/$target.txt ]] || dictionary=("-dict=Fuzz/Dictionaries/$target.txt")
    printf 'fuzz: %s for %s s\n' "$target" "$seconds"
    status=0
    FUZZ_TARGET=$target "$build/fuzz" "$folder" "Fuzz/Corpus/$target" "$crashes" \
        -max_total_time="$seconds" -max_len="$longest" -timeout=10 -rss_limit_mb=1024 \
        -malloc_limit_mb=256 -print_final_stats=1 -artifact_prefix="$crashes/" \
        "${dictionary[@]}" >"$log" 2>&1 || status=$?
    runs=$(awk '/^stat::number_of_executed_units/ { print $2 }' "$log")
    rss=$(awk '/^stat::peak_rss_mb/ { print $2 }' "$log")
    coverage=$(awk '{ for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) } END { print c }' "$log")
    line=$(printf '%-12s %9s runs, %5s edges, %4s MB at most' "$target" "${runs:-?}" "${coverage:-?}" "${rss:-?}")
    if ((status == 0)); then
        results+=("$line: nothing found")
    else
        file=$(sed -n "s/.*Test unit written to //p" "$log" | tail -1)
        what=$(grep -m1 -E 'Fatal error|ERROR: (AddressSanitizer|libFuzzer)' "$log" || true)
        results+=("$line: FOUND ${file:-see $log} ${what:0:200}")
        failures=$((failures + 1))
    fi
    rmdir "$crashes" 2>/dev/null || true
done

for result in "${results[@]}"; do printf 'fuzz: %s\n' "$result"; done
((failures == 0))
