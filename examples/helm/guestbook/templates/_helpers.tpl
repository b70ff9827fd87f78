{{- define "guestbook.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Takes a dictionary: root, the chart's context; tier, frontend or redis. */}}
{{- define "guestbook.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .tier }}
{{- end -}}

{{- define "guestbook.labels" -}}
{{ include "guestbook.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* How the variables begin that tell every container the address of a Service. Takes root and tier. */}}
{{- define "guestbook.variables" -}}
{{- printf "%s_%s" (include "guestbook.fullname" .root) .tier | upper | replace "-" "_" -}}
{{- end -}}

{{/* The password that was given, else the one that the cluster has, else a new one. */}}
{{- define "guestbook.password" -}}
{{- $found := lookup "v1" "Secret" .Release.Namespace (include "guestbook.fullname" .) -}}
{{- if .Values.redis.password -}}
{{- .Values.redis.password | b64enc -}}
{{- else if $found -}}
{{- index $found.data "redis-password" -}}
{{- else -}}
{{- randAlphaNum 20 | b64enc -}}
{{- end -}}
{{- end -}}
