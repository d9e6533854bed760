#!/bin/sh
# Takes the first ticket that a message names, such as DESK-123. Needs nothing but sed and grep.
#
# In pipeline.yaml:
#
#     records:
#       ticket:
#         fields:
#           key: { type: text, required: true }
#     workers:
#       tickets: { command: [sh, plugins/tickets.sh], consumes: unmatched }

while IFS= read -r line; do
    # The member "chaffinch" comes last, and inside a JSON string every quotation mark is escaped: so the last
    # unescaped "text" is the text of this message, and not of one that it quotes.
    text=$(printf '%s\n' "$line" | sed -n 's/.*"text":"\(\([^"\\]\|\\.\)*\)".*/\1/p')
    # An escape such as \n would otherwise lend its letter to the word behind it.
    key=$(printf '%s\n' "$text" | sed 's/\\u..../ /g; s/\\./ /g' | grep -oE '\b[A-Z]{2,10}-[0-9]{1,6}\b' | head -n 1)
    if [ -n "$key" ]; then
        printf '{"records":[{"record":"ticket","fields":{"key":"%s"}}]}\n' "$key"
    else
        printf '{"skip":"it names no ticket"}\n'
    fi
done
