complete -c ftpproxy -s h -l help -d 'Print help'
complete -c ftpproxy -s V -l version -d 'Print version'
