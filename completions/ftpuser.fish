# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ftpuser_global_optspecs
    string join \n h/help V/version
end

function __fish_ftpuser_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ftpuser_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ftpuser_using_subcommand
    set -l cmd (__fish_ftpuser_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ftpuser -n "__fish_ftpuser_needs_command" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -s V -l version -d 'Print version'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "add" -d 'Add a user'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "del" -d 'Delete a user'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "list" -d 'List the users: a table on a terminal, tab-separated lines in a pipe'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "passwd" -d 'Give a user another password'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "set" -d 'Change what a user may, and leave the password as it is'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "enable" -d 'Let a disabled user log in again'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "disable" -d 'Let a user not log in, and keep the entry'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "show" -d 'Show one user, but for the password'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "check" -d 'Look for what keeps users from logging in, and for weak passwords\' types'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "import" -d 'Add the users of another program\'s file, with the passwords that they have'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "export" -d 'Print the users in the form of another program\'s file'
complete -c ftpuser -n "__fish_ftpuser_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -s t -l type -d 'How the password is kept; crypt takes what crypt(3) made in the password\'s place' -r -f -a "argon2id\t''
null\t''
plain\t''
md5\t''
sha-1\t''
sha-256\t''
sha-512\t''
whirlpool\t''
crypt\t''"
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l cost -d 'What an argon2id hash costs: KiB of memory, passes, lanes' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l home -d 'The directory that the user starts in' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -s u -l real-user -d 'The user of the system that the files belong to; never root' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l expires -d 'The last day on which the user may log in, as 2027-01-31' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l allow-from -d 'The networks that the user may log in from, as 192.0.2.0/24,2001:db8::/32' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l login-hours -d 'The days and times at which the user may log in, as Mon-Fri/08:00-18:00,Sat' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l password-file -d 'Read the password from the first line of a file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l disable -d 'Let the user not log in until `ftpuser enable`'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l replace -d 'Replace users of the same names'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -l password-stdin -d 'Read the password from the first line of the standard input'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand add" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand del" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand del" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand list" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand list" -l json -d 'Print one JSON array'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand list" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand passwd" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand passwd" -s t -l type -d 'How the password is kept; crypt takes what crypt(3) made in the password\'s place' -r -f -a "argon2id\t''
null\t''
plain\t''
md5\t''
sha-1\t''
sha-256\t''
sha-512\t''
whirlpool\t''
crypt\t''"
complete -c ftpuser -n "__fish_ftpuser_using_subcommand passwd" -l cost -d 'What an argon2id hash costs: KiB of memory, passes, lanes' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand passwd" -l password-file -d 'Read the password from the first line of a file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand passwd" -l password-stdin -d 'Read the password from the first line of the standard input'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand passwd" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -l unset -d 'Take this setting away, so that the server\'s counts' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -l home -d 'The directory that the user starts in' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -s u -l real-user -d 'The user of the system that the files belong to; never root' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -l expires -d 'The last day on which the user may log in, as 2027-01-31' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -l allow-from -d 'The networks that the user may log in from, as 192.0.2.0/24,2001:db8::/32' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -l login-hours -d 'The days and times at which the user may log in, as Mon-Fri/08:00-18:00,Sat' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -l enable -d 'Let a disabled user log in again'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -l disable -d 'Let the user not log in until `ftpuser enable`'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand set" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand enable" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand enable" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand disable" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand disable" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand show" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand show" -l json -d 'Print one JSON object'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand show" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand check" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand check" -l json -d 'Print one JSON array'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand check" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -l from -d 'The form of the file' -r -f -a "passwd\t''
proftpd\t''
pure-ftpd\t''
htpasswd\t''
vsftpd\t''
pam-userdb\t''
metaftpd\t''"
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -l shadow -d 'With --from passwd: the file with the hashes' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -s u -l real-user -d 'The user of the system that the files belong to; never root' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -l home -d 'The home of users whose file has none; {name} in it is the user\'s name' -r
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -l replace -d 'Replace users of the same names'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -l skip-bad -d 'Leave out what cannot be taken over, and import the rest'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -l dry-run -d 'Tell what would be done, and write nothing'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand import" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand export" -l to -d 'The form of the file' -r -f -a "passwd\t''
htpasswd\t''
metaftpd\t''"
complete -c ftpuser -n "__fish_ftpuser_using_subcommand export" -s a -l auth-file -d 'The user file' -r -F
complete -c ftpuser -n "__fish_ftpuser_using_subcommand export" -s h -l help -d 'Print help'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "add" -d 'Add a user'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "del" -d 'Delete a user'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "list" -d 'List the users: a table on a terminal, tab-separated lines in a pipe'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "passwd" -d 'Give a user another password'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "set" -d 'Change what a user may, and leave the password as it is'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "enable" -d 'Let a disabled user log in again'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "disable" -d 'Let a user not log in, and keep the entry'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "show" -d 'Show one user, but for the password'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "check" -d 'Look for what keeps users from logging in, and for weak passwords\' types'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "import" -d 'Add the users of another program\'s file, with the passwords that they have'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "export" -d 'Print the users in the form of another program\'s file'
complete -c ftpuser -n "__fish_ftpuser_using_subcommand help; and not __fish_seen_subcommand_from add del list passwd set enable disable show check import export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
