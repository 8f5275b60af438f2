# FOLDER: starts commands as fast as it can.
while :; do
    /bin/true
done
