_ftpd() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="ftpd"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        ftpd)
            opts="-f -p -i -4 -I -l -A -a -h -V --config --check --dump-config --explain --user --from --passive --who --health --kick --json --make-cert --port --bindaddress --proxynetworks --cert --key --tls-port --tls-min-version --tls-cipher-suites --tls-unknown-host --client-certificate --client-ca --client-crl --nodemon --inetd --sessionuser --pidfile --controlsocket --drain-timeout --chroot --servlogfile --logfile --logformat --syslog --syslogsocket --journal --journalsocket --transferlog --loglevel --banner --bannerfile --userprompt --logpasswords --hostnames --authmethods --authfile --passwordcost --update-pass --allowusers --denyusers --defaultgroup --rootusers --logintimeout --maxloginfails --loginfaildelay --minpassword --maxclients --maxperaddress --maxperuser --maxunauthenticated --maxpasswordchecks --exemptnetworks --penalty --ban --longestban --replytimeout --keepalive --enabled --expires --allowednetworks --loginhours --chhome --chshare --umask --durability --keeppartial --maxfilesize --locks --alocks --mlocks --malocks --listowners --listorder --listdepth --listentries --archivelinks --archiveentries --archivesize --charset --charsetnetworks --permittedcommands --idle --maxidle --dclow --dchigh --dcrange --passiveaddress --passiveresolve --passiveports --passivepeers --activetargets --tunnelnetworks --proxydata --passivemode --nopasv --activemode --defaultdataport --activeports --activeport20 --activeportsonly --datatimeout --passivetimeout --stalltimeout --awaitacknowledgement --downloadrate --uploadrate --userdownloadrate --useruploadrate --totaldownloadrate --totaluploadrate --inflateratio --confirm-transfer --tls-required --tls-required-anonymous --tls-data-binding --tls-close-notify --permit-ccc --certificate-login --certificate-names --certificate-fingerprint --uploadhook --downloadhook --deletehook --renamehook --logonhook --logoffhook --connectuphook --connectdownhook --event-spool --event-spool-full --targets --user-targets --proxyclients --proxy --tproxy --proxyactive --server-tls --server-ca --server-tls-max-version --connecttimeout --answertimeout --help --version"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                -f)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --explain)
                    COMPREPLY=($(compgen -W "Port BindAddress IPv4Only ProxyNetworks Certificate CertificateKey TLSPort TLSMinVersion TLSCipherSuites TLSUnknownHost ClientCertificate ClientCA ClientCRL NoDaemon Inetd SessionUser PidFile ControlSocket DrainTimeout Chroot ServLogFile LogFile LogFormat Syslog SyslogSocket Journal JournalSocket TransferLog LogLevel Banner BannerFile UserPrompt LogPasswords HostNames AuthMethods AuthFile PasswordCost UpdatePass AllowUsers DenyUsers DefaultGroup RootUsers LoginTimeout MaxLoginFails LoginFailDelay MinPassword MaxClients MaxPerAddress MaxPerUser MaxUnauthenticated MaxPasswordChecks ExemptNetworks Penalty Ban LongestBan ReplyTimeout KeepAlive Enabled Expires AllowedNetworks LoginHours ChHome ChShare Umask Durability KeepPartial MaxFileSize Locks AdvisoryLocks MandatoryLocks MandatoryWriteLocks ListOwners ListOrder ListDepth ListEntries ArchiveLinks ArchiveEntries ArchiveSize Charset CharsetNetworks PermittedCommands Idle MaxIdle DataConnectionLowPort DataConnectionHighPort DataConnectionPortRange PassiveAddress PassiveResolve PassivePorts PassivePeers ActiveTargets TunnelNetworks ProxyData PassiveMode NoPASV ActiveMode DefaultDataPort ActivePorts ActivePort20 ActivePortsOnly DataTimeout PassiveTimeout StallTimeout AwaitAcknowledgement DownloadRate UploadRate UserDownloadRate UserUploadRate TotalDownloadRate TotalUploadRate InflateRatio ConfirmTransfers TLSRequired TLSRequiredAnonymous TLSDataBinding TLSCloseNotify PermitCCC CertificateLogin CertificateNames CertificateFingerprint UploadHook DownloadHook DeleteHook RenameHook LogonHook LogoffHook ConnectUpHook ConnectDownHook EventSpool EventSpoolFull Targets UserTargets ProxyClients Transparent TProxy ProxyActive ServerTLS ServerCA ServerTLSMaxVersion ConnectTimeout AnswerTimeout" -- "${cur}"))
                    return 0
                    ;;
                --user)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --from)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --kick)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --make-cert)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -p)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --bindaddress)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -i)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --proxynetworks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cert)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --key)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --tls-port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tls-min-version)
                    COMPREPLY=($(compgen -W "1.2 1.3" -- "${cur}"))
                    return 0
                    ;;
                --tls-cipher-suites)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tls-unknown-host)
                    COMPREPLY=($(compgen -W "serve refuse" -- "${cur}"))
                    return 0
                    ;;
                --client-certificate)
                    COMPREPLY=($(compgen -W "off optional required" -- "${cur}"))
                    return 0
                    ;;
                --client-ca)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-crl)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --sessionuser)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --pidfile)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --controlsocket)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --drain-timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --chroot)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                --servlogfile)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --logfile)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                -l)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --logformat)
                    COMPREPLY=($(compgen -W "text json" -- "${cur}"))
                    return 0
                    ;;
                --syslog)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --syslogsocket)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --journal)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --journalsocket)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --transferlog)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --loglevel)
                    COMPREPLY=($(compgen -W "logins transfers commands" -- "${cur}"))
                    return 0
                    ;;
                --banner)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --bannerfile)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --userprompt)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --logpasswords)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --hostnames)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --authmethods)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -A)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --authfile)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                -a)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --passwordcost)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --update-pass)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --allowusers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --denyusers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --defaultgroup)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rootusers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --logintimeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxloginfails)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --loginfaildelay)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --minpassword)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxclients)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxperaddress)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxperuser)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxunauthenticated)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxpasswordchecks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --exemptnetworks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --penalty)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ban)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --longestban)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --replytimeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --keepalive)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --enabled)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expires)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --allowednetworks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --loginhours)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --chhome)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --chshare)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                --umask)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --durability)
                    COMPREPLY=($(compgen -W "strict rename off" -- "${cur}"))
                    return 0
                    ;;
                --keeppartial)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxfilesize)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --locks)
                    COMPREPLY=($(compgen -W "none Advisory Mandatory MandatoryWrite" -- "${cur}"))
                    return 0
                    ;;
                --alocks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --mlocks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --malocks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --listowners)
                    COMPREPLY=($(compgen -W "names numbers hidden" -- "${cur}"))
                    return 0
                    ;;
                --listorder)
                    COMPREPLY=($(compgen -W "directory name" -- "${cur}"))
                    return 0
                    ;;
                --listdepth)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --listentries)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --archivelinks)
                    COMPREPLY=($(compgen -W "keep skip" -- "${cur}"))
                    return 0
                    ;;
                --archiveentries)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --archivesize)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --charset)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --charsetnetworks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --permittedcommands)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --idle)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --maxidle)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --dclow)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --dchigh)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --dcrange)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --passiveaddress)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --passiveresolve)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --passiveports)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --passivepeers)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --activetargets)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tunnelnetworks)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --proxydata)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --passivemode)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --nopasv)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --activemode)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --defaultdataport)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --activeports)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --activeport20)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --activeportsonly)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --datatimeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --passivetimeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --stalltimeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --awaitacknowledgement)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --downloadrate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --uploadrate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --userdownloadrate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --useruploadrate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --totaldownloadrate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --totaluploadrate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --inflateratio)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --confirm-transfer)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tls-required)
                    COMPREPLY=($(compgen -W "off login data all" -- "${cur}"))
                    return 0
                    ;;
                --tls-required-anonymous)
                    COMPREPLY=($(compgen -W "off login data all" -- "${cur}"))
                    return 0
                    ;;
                --tls-data-binding)
                    COMPREPLY=($(compgen -W "require prefer off" -- "${cur}"))
                    return 0
                    ;;
                --tls-close-notify)
                    COMPREPLY=($(compgen -W "strict lax" -- "${cur}"))
                    return 0
                    ;;
                --permit-ccc)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --certificate-login)
                    COMPREPLY=($(compgen -W "off enough only both" -- "${cur}"))
                    return 0
                    ;;
                --certificate-names)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --certificate-fingerprint)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --uploadhook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --downloadhook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --deletehook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --renamehook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --logonhook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --logoffhook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --connectuphook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --connectdownhook)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --event-spool)
                    COMPREPLY=()
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o plusdirs
                    fi
                    return 0
                    ;;
                --event-spool-full)
                    COMPREPLY=($(compgen -W "refuse accept" -- "${cur}"))
                    return 0
                    ;;
                --targets)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --user-targets)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --proxyclients)
                    COMPREPLY=($(compgen -W "anybody users" -- "${cur}"))
                    return 0
                    ;;
                --proxy)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tproxy)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --proxyactive)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --server-tls)
                    COMPREPLY=($(compgen -W "off prefer require implicit" -- "${cur}"))
                    return 0
                    ;;
                --server-ca)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --server-tls-max-version)
                    COMPREPLY=($(compgen -W "1.2 1.3" -- "${cur}"))
                    return 0
                    ;;
                --connecttimeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --answertimeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _ftpd -o nosort -o bashdefault -o default ftpd
else
    complete -F _ftpd -o bashdefault -o default ftpd
fi
