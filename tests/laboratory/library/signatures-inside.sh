# shellcheck shell=bash
# Sourced by workshop-inside.sh: repositories of which each has one thing wrong, or right in an
# uncommon way. Makes /mnt/work/CASE/apt, /mnt/work/CASE/rpm and /mnt/work/keys.
# shellcheck disable=SC2154 # the architecture is that of workshop-inside.sh

offered=(1.0.0 1.1.0)
key_names=(demo wrong next expired revoked small)
now="$(date +%s)"
week=$((7 * 24 * 3600))

# gpg_at TIME …: with the date of the system at TIME, or `now`.
gpg_at() {
    local clock=()
    [ "$1" = now ] || clock=(--faked-system-time "$1!")
    shift
    gpg --batch --quiet --yes --no-tty --pinentry-mode loopback --passphrase '' "${clock[@]}" "$@" 2>gpg-log || {
        cat gpg-log >&2
        return 1
    }
}

fingerprint() {
    gpg --batch --with-colons --list-keys "<$1@example.invalid>" | awk -F: '$1 == "fpr" { print $10; exit }'
}

signature_keys() {
    local made=20240101T000000 name
    install -d -m 0700 "$GNUPGHOME"
    gpg_at now --import keys/demo.secret keys/wrong.secret
    gpg_at $made --quick-generate-key "Laboratory next <next@example.invalid>" rsa3072 sign never
    gpg_at $made --quick-generate-key "Laboratory expired <expired@example.invalid>" rsa3072 sign 20250101T000000
    gpg_at $made --quick-generate-key "Laboratory revoked <revoked@example.invalid>" rsa3072 sign never
    gpg_at $made --quick-generate-key "Laboratory small <small@example.invalid>" rsa1024 sign never
    for name in "${key_names[@]}"; do
        fingerprints[$name]="$(fingerprint "$name")"
    done
}
declare -A fingerprints

# Written after everything is signed: a revoked key signs no more.
signature_keyrings() {
    local name
    sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/${fingerprints[revoked]}.rev" | gpg_at now --import
    mkdir work/keys
    for name in "${key_names[@]}"; do
        gpg_at now --export "${fingerprints[$name]}" >"work/keys/$name.gpg"
        gpg_at now --armor --export "${fingerprints[$name]}" >"work/keys/$name.asc"
    done
    printf '%s\n' "${fingerprints[demo]}" >work/keys/fingerprint
    gpg_at now --export "${fingerprints[demo]}" "${fingerprints[next]}" >work/keys/both.gpg
    gpg_at now --armor --export "${fingerprints[demo]}" "${fingerprints[next]}" >work/keys/both.asc
}

# sign_by KEY …: at a time when the key was in force.
sign_by() {
    local key="$1" time=now
    shift
    [ "$key" != expired ] || time=20240601T000000
    gpg_at "$time" --digest-algo SHA256 --local-user "${fingerprints[$key]}" "$@"
}

# change_byte FILE OFFSET: makes one byte another one; the size stays.
change_byte() {
    local byte
    byte="$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')"
    # shellcheck disable=SC2059 # the escape is the format
    printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

size() {
    stat -c %s "$1"
}

# spoil HOW FILE…
spoil() {
    local how="$1" file
    shift
    for file in "$@"; do
        # The files are links to the good ones.
        cp "$file" "$file.new"
        mv "$file.new" "$file"
        case "$how" in
        altered) change_byte "$file" $(($(size "$file") - 300)) ;;
        shorter) truncate -s -300 "$file" ;;
        missing) rm "$file" ;;
        esac
    done
}

# An index as apt-ftparchive makes it, not signed yet.
apt_template() {
    local label
    mkdir -p work/.made/apt/pool work/.made/apt/dists/stable/main/"binary-$architecture"
    for label in "${offered[@]}"; do
        cp "packages/deb/$label"/*.deb work/.made/apt/pool/
    done
    (
        cd work/.made/apt || exit 1
        apt-ftparchive packages pool >"dists/stable/main/binary-$architecture/Packages"
        apt-ftparchive -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Codename=stable \
            -o APT::FTPArchive::Release::Components=main -o "APT::FTPArchive::Release::Architectures=$architecture" \
            release dists/stable >../Release
        mv ../Release dists/stable/Release
    )
}

# apt CASE KEY|- [SED…]: a copy of the template with an edited Release, signed.
apt() {
    local name="$1" key="$2" folder="work/$1/apt/dists/stable"
    shift 2
    mkdir -p "work/$name"
    cp -al work/.made/apt "work/$name/apt"
    sed "$@" work/.made/apt/dists/stable/Release >Release
    mv Release "$folder/Release"
    [ "$key" = - ] || sign_by "$key" --clearsign --output "$folder/InRelease" "$folder/Release"
}

apt_date() {
    printf 's/^Date: .*/Date: %s/' "$(date -u -R -d "@$1")"
}

apt_cases() {
    local folder
    apt_template
    apt good demo -e ''
    apt detached demo -e ''
    folder=work/detached/apt/dists/stable
    sign_by demo --armor --detach-sign --output $folder/Release.gpg $folder/Release
    rm $folder/InRelease
    apt unsigned - -e ''
    apt wrong wrong -e ''
    apt index-altered demo -e ''
    sed -i 's/^Codename: stable/Codename: staple/' work/index-altered/apt/dists/stable/InRelease
    apt list-altered demo -e ''
    spoil altered work/list-altered/apt/dists/stable/main/*/Packages
    apt package-altered demo -e ''
    spoil altered work/package-altered/apt/pool/*
    apt package-shorter demo -e ''
    spoil shorter work/package-shorter/apt/pool/*
    apt package-missing demo -e ''
    spoil missing work/package-missing/apt/pool/*
    apt over demo -e "$(apt_date $((now - week)));/^Date:/a Valid-Until: $(date -u -R -d "@$((now - week / 7))")"
    apt future demo -e "$(apt_date $((now + 520 * week)))"
    apt older demo -e "$(apt_date $((now - week)))"
    apt expired expired -e ''
    apt revoked revoked -e ''
    apt next next -e ''
    apt small small -e ''
    apt sha1 demo -e ''
    folder=work/sha1/apt/dists/stable
    sign_by demo --digest-algo SHA1 --clearsign --output $folder/InRelease $folder/Release
    apt two-keys demo -e ''
    folder=work/two-keys/apt/dists/stable
    sign_by wrong --local-user "${fingerprints[demo]}" --clearsign --output $folder/InRelease $folder/Release
    apt glued demo -e ''
    sed -i '1i Suite: other' work/glued/apt/dists/stable/InRelease
    # shellcheck disable=SC2016 # sed's own
    apt weak-hashes demo -e '/^SHA256:/,$d'
}

# rpm_packages SET KEY [rpmsign option…]: the packages of every version, signed by a key.
rpm_packages() {
    local set="$1" key="$2" label
    shift 2
    mkdir -p "work/.made/$set"
    for label in "${offered[@]}"; do
        cp packages/rpm-unsigned/"$label"/*.rpm "work/.made/$set/"
    done
    [ "$key" = - ] || rpmsign --define '__gpg /mnt/gpg-of-the-time' --define "_gpg_name ${fingerprints[$key]}" "$@" \
        --addsign "work/.made/$set"/*.rpm >/dev/null
}

# rpm_index SET [SECONDS]: its metadata, dated so much later than now.
rpm_index() {
    local date=$((now + ${2:-0}))
    createrepo_c --quiet --no-database --general-compress-type=gz --simple-md-filenames --revision $date \
        --set-timestamp-to-revision "work/.made/$1"
}

# rpm CASE SET KEY|-: a set with its metadata signed.
rpm() {
    local name="$1" set="$2" key="$3" folder="work/$1/rpm/repodata"
    mkdir -p "work/$name"
    cp -al "work/.made/$set" "work/$name/rpm"
    [ "$key" = - ] || sign_by "$key" --armor --detach-sign --output "$folder/repomd.xml.asc" "$folder/repomd.xml"
    [ ! -e "keys/$key.asc" ] || cp "keys/$key.asc" "$folder/repomd.xml.key"
}

rpm_sets() {
    local name
    # shellcheck disable=SC2016 # the script's own argument
    printf '%s\n' '#!/bin/sh' "case \"\$*\" in *${fingerprints[expired]}*) set -- --faked-system-time 20240601T000000! \"\$@\" ;; esac" \
        'exec /usr/bin/gpg --batch --no-tty "$@"' >gpg-of-the-time
    chmod +x gpg-of-the-time
    for name in demo wrong next expired revoked; do rpm_packages $name $name; done
    rpm_packages unsigned -
    rpm_packages sha1 demo --define '_gpg_digest_algo sha1'
    for name in older later future rebuilt; do cp -a work/.made/demo work/.made/$name; done
    spoil altered work/.made/rebuilt/*.rpm
    for name in demo wrong next expired revoked unsigned sha1 rebuilt; do rpm_index $name -3600; done
    # zypper keeps the signature of an index that has not changed.
    rpm_index later
    rpm_index older -$week
    rpm_index future $((520 * week))
}

rpm_cases() {
    rpm_sets
    rpm good demo demo
    rpm unsigned unsigned -
    rpm index-unsigned later -
    rpm package-unsigned unsigned demo
    rpm wrong wrong wrong
    rpm index-wrong demo wrong
    rpm package-wrong wrong demo
    rpm package-wrong-index-unsigned wrong -
    rpm index-altered demo demo
    spoil altered work/index-altered/rpm/repodata/repomd.xml
    rpm list-altered demo demo
    spoil altered work/list-altered/rpm/repodata/primary.xml.gz
    rpm package-altered demo demo
    spoil altered work/package-altered/rpm/*.rpm
    rpm package-shorter demo demo
    spoil shorter work/package-shorter/rpm/*.rpm
    rpm package-missing demo demo
    spoil missing work/package-missing/rpm/*.rpm
    rpm package-rebuilt rebuilt demo
    rpm package-rebuilt-index-unsigned rebuilt -
    rpm older older demo
    rpm future future demo
    rpm expired expired expired
    rpm package-expired-index-unsigned expired -
    rpm revoked revoked revoked
    rpm package-revoked-index-unsigned revoked -
    rpm next next next
    rpm index-next demo next
    rpm small demo small
    rpm sha1 demo demo
    sign_by demo --digest-algo SHA1 --armor --detach-sign --output work/sha1/rpm/repodata/repomd.xml.asc \
        work/sha1/rpm/repodata/repomd.xml
    rpm package-sha1 sha1 demo
}

# Each case gets a time of change of its own: a client that asks "changed since?" has to be given
# what another case serves at the same place.
distinct_times() {
    local folder time=$((now - 24 * 3600))
    for folder in work/*/; do
        time=$((time + 60))
        find "$folder" \( -path '*/dists/*' -o -path '*/repodata/*' \) -type f | while read -r file; do
            cp "$file" "$file.new"
            mv "$file.new" "$file"
            touch -d "@$time" "$file"
        done
    done
}

make_signatures() {
    signature_keys
    apt_cases
    rpm_cases
    distinct_times
    signature_keyrings
    rm -r work/.made
    drop_key
}
