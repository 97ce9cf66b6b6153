import './app/schema-setup'

// Only then the rest: a bundler evaluates shared chunks before this file, and the schemas in them have to find the setting made.
void import('./app/start')
