# Run short commands. The arguments are NAME FOLDER.
while :; do
    date >"$2/run/date"
    sleep 1
done
