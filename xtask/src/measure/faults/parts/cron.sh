# FOLDER: starts short commands.
while :; do
    date >>"$1/cron.log"
    sleep 1
done
