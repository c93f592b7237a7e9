#!/bin/sh
# An agent around any program: asks Dispatch for a task, claims it, runs $DISPATCH_WORK, reports, and begins anew.
#   DISPATCH_AGENT_NAME   who this agent is; DISPATCH_URL and DISPATCH_AGENT_TOKEN lead to the server
#   DISPATCH_WORK         a program and its arguments. It finds the task in TASK_TYPE, TASK_ISSUE and so on (`dispatch next --help`),
#                         and prints the address of its pull request last. Any exit code but 0 is a failure.
#   HARNESS_PAUSE         seconds between two looks for work, and between two signs of life (60)
set -u
: "${DISPATCH_AGENT_NAME:?}" "${DISPATCH_WORK:?}"
pause=${HARNESS_PAUSE:-60} child='' renewer='' CLAIM_ID=''
out=${TMPDIR:-/tmp}/harness.$$ && mkdir -m 700 "$out" || exit

rest() { sleep "$pause" & child=$!; wait "$child"; child=''; }
give_up() { # gives back what it holds; the program ends first, so that nobody works beside it
    trap '' INT TERM HUP
    [ -z "$child" ] || { kill "$child"; wait "$child"; } 2>/dev/null
    [ -z "$renewer" ] || kill "$renewer" 2>/dev/null
    [ -z "$CLAIM_ID" ] || dispatch release "$TASK_ISSUE" --claim "$CLAIM_ID"
    rm -rf "$out"
    exit "$1"
}
trap 'give_up 130' INT
trap 'give_up 143' TERM HUP

while :; do
    CLAIM_ID='' CLAIM_FENCE=''
    dispatch heartbeat "$DISPATCH_AGENT_NAME" >/dev/null
    task=$(dispatch next --shell) || {
        [ $? -eq 3 ] || { rest; continue; }
        dispatch next --wait "$pause" >/dev/null & child=$!; wait "$child"; child=''; continue
    }
    set -a; eval "$task"; set +a
    if [ "$TASK_TYPE" = implement ]; then # a fix of a pull request is the agent's already
        claim=$(dispatch claim "$TASK_ISSUE" --shell) || { [ $? -eq 4 ] || rest; continue; }
        eval "$claim"
    fi
    $DISPATCH_WORK >"$out/said" & child=$!
    while sleep "$pause" && kill -0 $$; do # as long as this harness lives; without the claim the work ends
        dispatch heartbeat "$DISPATCH_AGENT_NAME" ${CLAIM_ID:+--claim "$CLAIM_ID" --fence "$CLAIM_FENCE"}
        [ $? -ne 4 ] || kill "$child"
    done >/dev/null 2>&1 & renewer=$!
    wait "$child"; code=$?; child=''
    kill "$renewer"; renewer=''
    pr=$(tail -n 1 "$out/said")
    case $code$pr in
    0http*://*/pull/[1-9]*) outcome=pr_opened reached=pr-opened ;;
    *) outcome=failed reached=changes-made pr='' ;;
    esac
    if [ "$TASK_TYPE" = implement ]; then
        dispatch checkpoint "$reached" --claim "$CLAIM_ID" ${pr:+--pr-url "$pr"} || { [ $? -eq 4 ] && continue; } # lost
        dispatch report "$outcome" --issue "$TASK_ISSUE" ${pr:+--pr "$pr"} --key "$CLAIM_ID" --summary "exit code $code"
        dispatch release "$TASK_ISSUE" --claim "$CLAIM_ID" ${pr:+--status in-review} || outcome=failed
    else
        [ -z "$pr" ] || outcome=pr_updated
        dispatch report "$outcome" --pr "$TASK_PR" --item "$TASK_ITEM" --generation "$TASK_GENERATION" --summary "exit code $code"
    fi
    CLAIM_ID=''
    [ $outcome != failed ] || rest
done
