#!/usr/bin/env bash
# Tell a chat what a step of udfs ci came to, and nothing where all is clean:
#
#     CHAT_WEBHOOK=… bash chat.sh dingtalk|feishu|wecom|slack out/drift
#
# CHAT_WEBHOOK is the address of the group's robot, which is a secret; a robot of DingTalk needs the keyword "udfs" in its settings. Needs curl
# and jq. Tried: what is sent, against a stand-in. Not tried: the four services, whose pages the forms are from.
set -euo pipefail
chat=$1 folder=$2

# What a summary quotes is text of others: no sign in it may be a mark-up that calls everybody, and 600 characters are enough.
text=$(jq -r '
  [.entries[] | select(.outcome != "clean" and .outcome != "skipped" and (.outcome != "changes" or $kind == "drift"))
    | "\(.manifest)\(if .target then " (\(.target))" else "" end): \(.summary)" | gsub("[<>\\x00-\\x1f]"; " ") | .[:200]]
  | if . == [] then "" else "udfs \($kind)\n" + join("\n") | .[:600] end' \
  --arg kind "$(jq -r .command "$folder/index.json")" "$folder/index.json")
[ -n "$text" ] || exit 0

case $chat in
  dingtalk | wecom) form='{msgtype: "text", text: {content: $text}}' ;;
  feishu) form='{msg_type: "text", content: {text: $text}}' ;;
  slack) form='{text: ($text | gsub("&"; "&amp;"))}' ;;
  *) echo "chat.sh: $chat is no chat that this knows" >&2 && exit 3 ;;
esac
# The address stands on no command line, where other processes could read it.
jq -n --arg text "$text" "$form" |
  curl --silent --show-error --fail --max-time 30 --header 'Content-Type: application/json' --data-binary @- \
    --config <(printf 'url = "%s"\n' "$CHAT_WEBHOOK") --output /dev/null
