#!/bin/sh
# The agent of harness.sh by curl alone; its head says what the variables are. The work finds TASK_TYPE, TASK_REPO and TASK_ISSUE or
# TASK_PR in its environment: nothing that strangers wrote.
set -u
: "${DISPATCH_AGENT_NAME:?}" "${DISPATCH_AGENT_TOKEN:?}" "${DISPATCH_WORK:?}" "${DISPATCH_URL:=http://127.0.0.1:3000}"
export LC_ALL=C TASK_TYPE TASK_REPO TASK_ISSUE TASK_PR
agent=/api/agents/$DISPATCH_AGENT_NAME pause=${HARNESS_PAUSE:-60} child='' renewer='' id=''
out=${TMPDIR:-/tmp}/harness.$$ && mkdir -m 700 "$out" || exit

# call METHOD PATH FILE [BODY]: the answer goes into FILE, its status is printed; the token is in no list of processes.
call() {
    : >"$out/$3"
    printf 'header = "Authorization: Bearer %s"\n' "$DISPATCH_AGENT_TOKEN" |
        curl -sS -K - -m 60 -X "$1" -o "$out/$3" -w '%{http_code}' ${4:+-d "$4"} "$DISPATCH_URL$2"
}
# Fields of an answer. Dispatch writes JSON without blanks, and in a string every quotation mark has a backslash before it: "key":
# is a key and never a part of a title. Values with escapes are not read.
text() { sed -n "s/.*\"$2\":\"\([^\"\\\\]*\)\".*/\1/p" "$out/$1"; }
number() { sed -n "s/.*\"$2\":\([0-9][0-9]*\).*/\1/p" "$out/$1"; }
# part OBJECT: an object of the task without strings of strangers, as a file of its own.
part() { sed -n "s/.*\"$1\":{\([^}]*\)}.*/\1/p" "$out/task" >"$out/$1"; }
rest() { sleep "$pause" & child=$!; wait "$child"; child=''; }
# tell PATH FIELDS: says something about the claim; 1 when it is lost.
tell() { [ "$(call POST "$1" told "{\"agentName\":\"$DISPATCH_AGENT_NAME\",\"claimId\":\"$id\",$2}")" != 409 ]; }
report() { # OUTCOME FIELDS
    call POST "$agent/tasks/report" told \
        "{\"taskType\":\"$TASK_TYPE\",\"outcome\":\"$1\",\"repoFullName\":\"$TASK_REPO\",\"summary\":\"exit code $code\",$2}" >/dev/null
}
release() { tell /api/issues/unclaim "$issue"; }
give_up() {
    trap '' INT TERM HUP
    [ -z "$child" ] || { kill "$child"; wait "$child"; } 2>/dev/null
    [ -z "$renewer" ] || kill "$renewer" 2>/dev/null
    [ -z "$id" ] || release
    rm -rf "$out"
    exit "$1"
}
trap 'give_up 130' INT
trap 'give_up 143' TERM HUP

while :; do
    id='' named='' TASK_ISSUE='' TASK_PR=''
    call POST "$agent/heartbeat" beat '{"want":{}}' >/dev/null
    sed -n 's/.*"next"://p' "$out/beat" >"$out/task"
    TASK_TYPE=$(text task type)
    case $TASK_TYPE in
    implement)
        TASK_REPO=$(text task repoFullName) n=$(number task number) TASK_ISSUE=$TASK_REPO#$n
        call GET "/api/issues/state?repo=$TASK_REPO&number=$n" state >/dev/null
        issue="\"issueId\":\"$(text state issueId)\",\"repoFullName\":\"$TASK_REPO\",\"issueNumber\":$n"
        case $(call POST /api/issues/claim claim "{$issue,\"agentName\":\"$DISPATCH_AGENT_NAME\",\"lease\":true}") in
        200) id=$(text claim claimId) named="{\"claims\":[{\"claimId\":\"$id\",\"fence\":$(number claim fence)}]}" ;;
        409) continue ;;
        *) rest; continue ;;
        esac ;;
    followup-pr) # the agent's already
        part pullRequest; part prFixItem
        TASK_REPO=$(text pullRequest repoFullName) n=$(number pullRequest number) TASK_PR=$TASK_REPO#$n
        item="{\"id\":\"$(text prFixItem id)\",\"generation\":$(number prFixItem generation)}" ;;
    *) rest; continue ;;
    esac
    $DISPATCH_WORK >"$out/said" & child=$!
    while sleep "$pause" && kill -0 $$; do
        call POST "$agent/heartbeat" alive "$named" >/dev/null
        [ "$(text alive state)" != lost ] || kill "$child"
    done >/dev/null 2>&1 & renewer=$!
    wait "$child"; code=$?; child=''
    kill "$renewer"; renewer=''
    pr=$(tail -n 1 "$out/said")
    case $code$pr in
    *[!A-Za-z0-9._~:/-]*) outcome=failed reached=CHANGES_MADE pr='' ;;
    0http*://*/pull/[1-9]*) outcome=pr_opened reached=PR_OPENED ;;
    *) outcome=failed reached=CHANGES_MADE pr='' ;;
    esac
    pull=${pr##*/pull/} pull=${pull%%[!0-9]*}
    if [ "$TASK_TYPE" = implement ]; then
        tell /api/agent-work/checkpoint "\"checkpoint\":\"$reached\"${pr:+,\"prUrl\":\"$pr\"}" || continue
        report "$outcome" "\"issueNumber\":$n,\"idempotencyKey\":\"$id\"${pr:+,\"pullRequestNumber\":$pull,\"pullRequestUrl\":\"$pr\"}"
        [ -z "$pr" ] || tell /api/issues/status "$issue,\"status\":\"in-review\""
        release || outcome=failed
    else
        [ -z "$pr" ] || outcome=pr_updated
        report "$outcome" "\"pullRequestNumber\":$n,\"prFixItem\":$item"
    fi
    id=''
    [ $outcome != failed ] || rest
done
